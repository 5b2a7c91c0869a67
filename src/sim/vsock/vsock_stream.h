/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection between the guest and a host socket. Each direction ends for itself:
 *
 *   host socket at its end    → SHUTDOWN, no more will be sent
 *   host socket broken (EPIPE)→ SHUTDOWN, no more will be received
 *   SHUTDOWN of the guest     → shutdown(2), once what it sent before has been written
 *   both directions over      → SHUTDOWN of both; the guest answers with RST, or is given one
 *
 * For vsock.c only.
 */
#ifndef SIM_VSOCK_VSOCK_STREAM_H
#define SIM_VSOCK_VSOCK_STREAM_H

#include "sim/vsock/vsock.h"

enum vsock_state {
    VSOCK_CONNECTING_HOST,  /* the guest asked; the host socket connects */
    VSOCK_CONNECTING_GUEST, /* the host asked; the guest has to answer */
    VSOCK_OPEN,
    VSOCK_CLOSING,  /* both directions are over, the guest's RST is awaited; no host socket */
    VSOCK_DRAINING, /* the guest is gone; what it sent is still written to the host */
};

/* Packets owed to the guest. */
#define OWED_REQUEST        1u
#define OWED_RESPONSE       2u
#define OWED_SHUTDOWN       4u
#define OWED_CREDIT_UPDATE  8u
#define OWED_CREDIT_REQUEST 16u

struct vsock_stream {
    struct event_source host; /* edge-triggered; fd -1: closed */
    struct vsock *vsock;
    LIST_ENTRY(vsock_stream) in_all;
    LIST_ENTRY(vsock_stream) in_bucket;
    TAILQ_ENTRY(vsock_stream) in_turns;
    bool has_bucket, has_turn;
    uint64_t cid; /* of the parent's side: 3, or what a listener pretends */
    uint32_t host_port, guest_port;
    enum vsock_state state;
    int64_t deadline_ms; /* INT64_MAX: none */
    const struct vsock_target *target;
    bool must_retry; /* connect(2) to a unix socket whose backlog was full */

    unsigned owed;       /* OWED_… */
    uint32_t said_flags; /* of SHUTDOWN, to the guest */
    uint32_t heard_flags;
    bool host_readable; /* until recv(2) has said otherwise */
    bool host_hung_up;  /* the host closed both directions, or the connection broke */
    bool host_shut;     /* shutdown(2) for writing is done */

    /* From the guest to the host. */
    uint8_t *window; /* a ring of VSOCK_WINDOW bytes; NULL until it is needed */
    uint32_t window_first, window_len;
    uint32_t forwarded;      /* fwd_cnt: bytes written to the host, modulo 2³² */
    uint32_t forwarded_said; /* what the guest knows of it */

    /* From the host to the guest, modulo 2³². */
    uint32_t sent;
    uint32_t guest_alloc, guest_forwarded;
    bool credit_asked;
};

/* A stream in the table, owning fd (-1: none yet). NULL: no memory, or too many; fd is closed. */
struct vsock_stream *vsock_stream_new(struct vsock *vsock, int fd, uint64_t cid, uint32_t host_port,
                                      uint32_t guest_port);
void vsock_stream_free(struct vsock_stream *s);
/* Frees it and tells the guest. */
void vsock_stream_reset(struct vsock_stream *s);
struct vsock_stream *vsock_find(struct vsock *vsock, uint64_t cid, uint32_t host_port,
                                uint32_t guest_port);
/* No packet is for it any more. */
void vsock_stream_leave_table(struct vsock_stream *s);

/* Has it take turns if it may have a packet for the guest. */
void vsock_stream_want(struct vsock_stream *s);

/* Starts the connection to its target; resets on failure. */
void vsock_stream_connect(struct vsock_stream *s);
/* A packet of the guest for it. It may be freed by this, as by the following. */
void vsock_stream_receive(struct vsock_stream *s, const struct vsock_packet *packet,
                          struct bytes payload);
/* Makes a packet for the guest: false if it has none now. */
MUST_USE bool vsock_stream_next(struct vsock_stream *s, struct vsock_packet *packet,
                                uint8_t *payload, size_t room);
void vsock_stream_tick(struct vsock_stream *s, int64_t now_ms);

/* Writes what waits for the host; false: it is freed. (vsock_stream_host.c) */
MUST_USE bool vsock_stream_flush(struct vsock_stream *s);
/* Takes bytes from the guest that fit in the window; false: it is freed. */
MUST_USE bool vsock_stream_put(struct vsock_stream *s, struct bytes bytes);
/* Closes the host socket. */
void vsock_stream_close_host(struct vsock_stream *s);
/* Called after a direction may have ended. */
void vsock_stream_settle(struct vsock_stream *s);
/* The guest is gone in good order: frees it, or keeps it until all is written. */
void vsock_stream_drain(struct vsock_stream *s);
void vsock_stream_ready(struct event_source *source, uint32_t events);

/* Queues a reset for the guest. */
void vsock_reset_to(struct vsock *vsock, uint64_t cid, uint32_t host_port, uint32_t guest_port);

/* Whether one more line about what the guest does may go to the log. */
bool vsock_may_complain(struct vsock *vsock);

#endif
