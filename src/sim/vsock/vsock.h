/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent's side of an enclave's vsock, without the queues: packets from the guest in, packets
 * for the guest out, host sockets behind. Only streams (virtio 1.2, section 5.10). Connections go
 * both ways: a host socket handed to vsock_offer arrives in the guest; a connection of the guest to
 * CID 3 goes to the target of its port. Every other connection is reset.
 *
 * Nothing here grows by the guest's word. What the guest sends is bounded by the window granted for
 * each connection; what the host sends waits in its socket until there is a buffer of the guest and
 * credit for it; resets that cannot be delivered are dropped. Connections take turns, packet by
 * packet, and none waits for another.
 */
#ifndef SIM_VSOCK_VSOCK_H
#define SIM_VSOCK_VSOCK_H

#include <sys/queue.h>

#include "net/address.h"
#include "sim/event_loop.h"
#include "sim/vsock/vsock_packet.h"

#define VSOCK_PARENT_CID  3u           /* as an enclave on Nitro sees its parent */
#define VSOCK_STREAMS_MAX 1024         /* connections at a time */
#define VSOCK_WINDOW      (128u << 10) /* bytes that the guest may send ahead, each connection */
#define VSOCK_RESETS_MAX  512          /* resets waiting for a buffer of the guest */
#define VSOCK_CONNECT_MS  10000        /* until a connection must stand, either way */
#define VSOCK_CLOSE_MS    8000         /* until both sides have said that it is over; as in Linux */
#define VSOCK_DRAIN_MS    30000 /* without progress, for what a guest sent before it closed */
#define VSOCK_TICK_MS     500   /* how often vsock_tick is to be called */

/* Where a connection of the guest to a port of its parent goes. */
struct vsock_target {
    uint32_t port;
    struct address address; /* looked at if open is NULL */
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
    void (*wake)(void *context); /* called when there may be packets for the guest again */
    void *context;
    size_t stream_count;
    struct vsock_streams all;
    struct vsock_streams buckets[VSOCK_BUCKETS]; /* those that a packet can be for */
    struct vsock_turns turns;                    /* those that may have a packet for the guest */
    struct vsock_packet resets[VSOCK_RESETS_MAX];
    size_t reset_first, reset_count;
    uint32_t next_port;  /* of the parent, for the next connection to the guest */
    unsigned complaints; /* lines about the guest in the log so far */
};

/* loop, guest_cid, targets, wake and their like are set by the caller. */
void vsock_init(struct vsock *vsock);
/* Closes all connections. Safe on a zeroed struct. */
void vsock_clear(struct vsock *vsock);

/*
 * Takes fd, a connected non-blocking socket, as a connection from cid to the guest's port. One more
 * than VSOCK_STREAMS_MAX is closed.
 */
void vsock_offer(struct vsock *vsock, int fd, uint64_t cid, uint32_t port);

/*
 * Takes a packet from the guest; payload is packet->len bytes. False: not a packet that a driver of
 * this guest can send (ERROR_FORMAT).
 */
MUST_USE bool vsock_receive(struct vsock *vsock, const struct vsock_packet *packet,
                            struct bytes payload, struct error *err);

/* Makes the next packet for the guest, with at most room bytes of payload. False: there is none. */
MUST_USE bool vsock_next(struct vsock *vsock, struct vsock_packet *packet, uint8_t *payload,
                         size_t room);

/* Ends what has waited too long. now_ms: clock_monotonic_ms. */
void vsock_tick(struct vsock *vsock, int64_t now_ms);

#endif
