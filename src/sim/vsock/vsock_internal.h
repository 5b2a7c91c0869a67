/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What vsock.c (the table of connections) and the vsock_stream files share.
 *
 * A stream is one connection between the guest and a host socket. Each direction ends by itself:
 *
 *   host socket at its end      → SHUTDOWN: no more will be sent
 *   host socket broken (EPIPE)  → SHUTDOWN: no more will be received
 *   SHUTDOWN from the guest     → shutdown(2), once what it sent before has been written
 *   both directions over        → SHUTDOWN of both; then a RST, by the guest or for it
 */
#ifndef SIM_VSOCK_VSOCK_INTERNAL_H
#define SIM_VSOCK_VSOCK_INTERNAL_H

#include "sim/vsock/vsock.h"

enum vsock_state {
    VSOCK_CONNECTING_HOST,  /* the guest asked; the host socket is connecting */
    VSOCK_CONNECTING_GUEST, /* the host asked; the guest must answer */
    VSOCK_OPEN,
    VSOCK_CLOSING,  /* both directions are over; waits for the guest's RST; no host socket */
    VSOCK_DRAINING, /* the guest has closed; what it sent is still being written to the host */
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
    uint64_t cid; /* of the parent's side: 3, or the one that --listen gives */
    uint32_t host_port, guest_port;
    enum vsock_state state;
    int64_t deadline_ms; /* INT64_MAX: none */
    const struct vsock_target *target;
    bool must_retry; /* the backlog of the target, a unix socket, was full */

    unsigned owed;        /* OWED_… */
    uint32_t said_flags;  /* of SHUTDOWN, sent to the guest */
    uint32_t heard_flags; /* and received from it */
    bool host_readable;   /* until recv(2) finds nothing */
    bool host_hung_up;    /* the host closed both directions, or the connection broke */
    bool host_shut;       /* shutdown(2) for writing was called */

    /* From the guest to the host. */
    uint8_t *window; /* a ring of VSOCK_WINDOW bytes; NULL until needed */
    uint32_t window_first, window_len;
    uint32_t forwarded;      /* fwd_cnt: bytes written to the host, modulo 2³² */
    uint32_t forwarded_said; /* as last sent to the guest */

    /* From the host to the guest, modulo 2³². */
    uint32_t sent;
    uint32_t guest_alloc, guest_forwarded;
    bool credit_asked;
};

/* vsock.c */
void vsock_stream_free(struct vsock_stream *s);
/* Frees it, and sends the guest a reset. */
void vsock_stream_reset(struct vsock_stream *s);
/* No packet reaches it any more. */
void vsock_stream_leave_table(struct vsock_stream *s);
/* Queues a reset for the guest. */
void vsock_reset_to(struct vsock *vsock, uint64_t cid, uint32_t host_port, uint32_t guest_port);
/* Whether one more line about what the guest does may be logged. */
bool vsock_may_log(struct vsock *vsock);

/* vsock_stream.c: packets. */
/* Gives it a turn if it may have a packet for the guest. */
void vsock_stream_want(struct vsock_stream *s);

/* Takes a packet from the guest. This and the following functions may free s. */
void vsock_stream_receive(struct vsock_stream *s, const struct vsock_packet *packet,
                          struct bytes payload);
/* Makes a packet for the guest; false if none is due. */
MUST_USE bool vsock_stream_next(struct vsock_stream *s, struct vsock_packet *packet,
                                uint8_t *payload, size_t room);
void vsock_stream_tick(struct vsock_stream *s, int64_t now_ms);

/* To be called after a direction may have ended. */
void vsock_stream_settle(struct vsock_stream *s);

/* vsock_stream_host.c: the host socket. */
/* Starts to connect to its target; resets it on failure. */
void vsock_stream_connect(struct vsock_stream *s);
/* Writes what waits for the host. False: s was freed. */
MUST_USE bool vsock_stream_flush(struct vsock_stream *s);
/* Writes bytes from the guest, or keeps them in the window, where they fit. False: s was freed. */
MUST_USE bool vsock_stream_put(struct vsock_stream *s, struct bytes bytes);
/* Closes the host socket. */
void vsock_stream_close_host(struct vsock_stream *s);
void vsock_stream_ready(struct event_source *source, uint32_t events);

#endif
