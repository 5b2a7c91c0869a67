/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side of an enclave's vsock, without the queues: it takes packets from the guest,
 * makes packets for the guest, and connects them to host sockets. Only streams (virtio 1.2,
 * section 5.10). Connections go both ways: a host socket passed to vsock_offer arrives in the
 * guest; a connection of the guest to CID 3 goes to the target of its port. Every other connection
 * is reset.
 *
 * The guest cannot make this grow without limit. What the guest sends is bounded by the window
 * granted to each connection; what the host sends waits in its socket until the guest has a buffer
 * and has granted credit; resets that cannot be delivered are dropped. Connections take turns,
 * packet by packet, and none waits for another.
 */
#ifndef SIM_VSOCK_VSOCK_H
#define SIM_VSOCK_VSOCK_H

#include <sys/queue.h>

#include "sim/event_loop.h"
#include "sim/vsock/vsock_packet.h"
#include "sockets/any_address.h"

#define VSOCK_PARENT_CID  3u           /* how an enclave on Nitro addresses its parent */
#define VSOCK_STREAMS_MAX 1024         /* open at a time */
#define VSOCK_WINDOW      (128u << 10) /* bytes that the guest may send ahead on each connection */
#define VSOCK_CREDIT_STEP (8u << 10)   /* bytes forwarded of which the guest may not know */
#define VSOCK_RESETS_MAX  512          /* resets that wait for a buffer of the guest */
#define VSOCK_CONNECT_MS  10000        /* to establish a connection, either way */
#define VSOCK_CLOSE_MS    8000         /* for both sides to close; as in Linux */
#define VSOCK_DRAIN_MS    30000        /* without progress, after the guest closed */
#define VSOCK_TICK_MS     500          /* how often vsock_tick must be called */

/* Where a connection of the guest to a port of its parent goes. */
struct vsock_target {
    uint32_t port;
    struct address address; /* used if open is NULL */
    /* Returns a connected, non-blocking socket, or -1 to refuse. */
    int (*open)(void *context);
    void *context;
};

struct vsock_stream;
LIST_HEAD(vsock_streams, vsock_stream);
TAILQ_HEAD(vsock_turns, vsock_stream);

#define VSOCK_BUCKETS 256

struct vsock {
    struct event_loop *loop;
    uint64_t guest_cid;
    const struct vsock_target *targets; /* the caller's */
    size_t target_count;
    void (*wake)(void *context); /* called when there may be new packets for the guest */
    void *context;
    size_t stream_count;
    struct vsock_streams all;
    struct vsock_streams buckets[VSOCK_BUCKETS]; /* those that can receive a packet */
    struct vsock_turns turns;                    /* those that may have a packet for the guest */
    struct vsock_packet resets[VSOCK_RESETS_MAX];
    size_t reset_first, reset_count;
    uint32_t next_port; /* of the parent, for the next connection to the guest */
    unsigned logged;    /* lines about the guest in the log so far */
};

/* The caller sets loop, guest_cid, targets, target_count, wake and context. */
void vsock_init(struct vsock *vsock);
/* Closes all connections. Safe on a zeroed struct. */
void vsock_clear(struct vsock *vsock);

/*
 * Takes fd, a connected non-blocking socket, as a connection from cid to the guest's port. fd is
 * closed if there are VSOCK_STREAMS_MAX connections already.
 */
void vsock_offer(struct vsock *vsock, int fd, uint64_t cid, uint32_t port);

/*
 * Takes a packet from the guest; payload has packet->len bytes. ERROR_FORMAT: no driver of this
 * guest would send such a packet.
 */
MUST_USE bool vsock_receive(struct vsock *vsock, const struct vsock_packet *packet,
                            struct bytes payload, struct error *err);

/* Makes the next packet for the guest, with at most room bytes of payload. False: none is due. */
MUST_USE bool vsock_next(struct vsock *vsock, struct vsock_packet *packet, uint8_t *payload,
                         size_t room);

/* Ends connections whose time limit has passed. now_ms: clock_monotonic_ms. */
void vsock_tick(struct vsock *vsock, int64_t now_ms);

#endif
