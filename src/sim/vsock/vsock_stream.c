/* SPDX-License-Identifier: Apache-2.0 */
/* The packets of a connection: those from the guest, and those for it. */
#include "sim/vsock/vsock_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define BOTH (VSOCK_NO_RECEIVE | VSOCK_NO_SEND)

/* Bytes that the guest has room for, at most what it last advertised. A guest that lies about it
 * gets wrong credit, never more than that. */
static uint32_t credit(const struct vsock_stream *s)
{
    uint32_t in_flight = s->sent - s->guest_forwarded;
    return in_flight < s->guest_alloc ? s->guest_alloc - in_flight : 0;
}

static bool may_read(const struct vsock_stream *s)
{
    return s->state == VSOCK_OPEN && s->host_readable && (s->said_flags & VSOCK_NO_SEND) == 0 &&
           (s->heard_flags & VSOCK_NO_RECEIVE) == 0;
}

void vsock_stream_want(struct vsock_stream *s)
{
    if (may_read(s) && credit(s) == 0 && !s->credit_asked) {
        s->owed |= OWED_CREDIT_REQUEST;
        s->credit_asked = true;
    }
    if (s->has_turn || !s->has_bucket || (s->owed == 0 && !(may_read(s) && credit(s) > 0)))
        return;
    TAILQ_INSERT_TAIL(&s->vsock->turns, s, in_turns);
    s->has_turn = true;
    s->vsock->wake(s->vsock->context);
}

/* The guest has closed in good order: frees s, or keeps it until all is written to the host. */
static void drain(struct vsock_stream *s)
{
    if (s->window_len == 0 || s->host.fd < 0) {
        vsock_stream_free(s);
        return;
    }
    vsock_stream_leave_table(s);
    s->state = VSOCK_DRAINING;
    s->deadline_ms = clock_monotonic_ms() + VSOCK_DRAIN_MS;
}

void vsock_stream_settle(struct vsock_stream *s)
{
    if (s->state != VSOCK_OPEN)
        return;
    bool to_host_over =
        (s->said_flags & VSOCK_NO_RECEIVE) != 0 ||
        ((s->heard_flags & VSOCK_NO_SEND) != 0 && s->window_len == 0 && s->host_shut);
    bool to_guest_over =
        (s->said_flags & VSOCK_NO_SEND) != 0 || (s->heard_flags & VSOCK_NO_RECEIVE) != 0;
    if (to_host_over && to_guest_over) {
        vsock_stream_close_host(s);
        s->state = VSOCK_CLOSING;
        s->deadline_ms = clock_monotonic_ms() + VSOCK_CLOSE_MS;
        s->said_flags = BOTH;
        s->owed |= OWED_SHUTDOWN;
    }
    vsock_stream_want(s);
}

/* The guest will no longer send, or no longer receive, or neither. */
static void receive_shutdown(struct vsock_stream *s, uint32_t flags)
{
    s->heard_flags |= flags & BOTH;
    if (s->state == VSOCK_CLOSING || s->heard_flags == BOTH) {
        /* The guest waits for this reset before it frees its socket. What it has sent is still
         * delivered. */
        if (s->heard_flags == BOTH) {
            vsock_reset_to(s->vsock, s->cid, s->host_port, s->guest_port);
            drain(s);
        }
        return;
    }
    if ((s->heard_flags & VSOCK_NO_RECEIVE) != 0)
        (void)shutdown(
            s->host.fd,
            SHUT_RD); /* so that a unix peer that still writes gets EPIPE; TCP has no such signal */
    if (vsock_stream_flush(s))
        vsock_stream_settle(s);
}

static void receive_data(struct vsock_stream *s, struct bytes payload)
{
    if ((s->heard_flags & VSOCK_NO_SEND) != 0 || payload.len > VSOCK_WINDOW - s->window_len) {
        if (vsock_may_log(s->vsock))
            log_warning("vsock: port %u of the guest sends after its shutdown, or more than it was "
                        "granted: reset",
                        s->guest_port);
        vsock_stream_reset(s);
    } else if (s->state == VSOCK_CLOSING || (s->said_flags & VSOCK_NO_RECEIVE) != 0) {
        s->forwarded += (uint32_t)payload.len; /* sent before the guest knew */
    } else if (vsock_stream_put(s, payload)) {
        vsock_stream_settle(s);
    }
}

static void receive_response(struct vsock_stream *s)
{
    s->state = VSOCK_OPEN;
    s->deadline_ms = INT64_MAX;
    vsock_stream_want(s);
}

static void take_credit(struct vsock_stream *s, const struct vsock_packet *packet)
{
    s->guest_alloc = packet->buf_alloc;
    s->guest_forwarded = packet->fwd_cnt;
    if (credit(s) > 0)
        s->credit_asked = false;
}

/* A packet for a connection that both sides have agreed on. */
static void receive_established(struct vsock_stream *s, const struct vsock_packet *packet,
                                struct bytes payload)
{
    switch (packet->op) {
    case VSOCK_RW:
        receive_data(s, payload);
        break;
    case VSOCK_SHUTDOWN:
        receive_shutdown(s, packet->flags);
        break;
    case VSOCK_CREDIT_UPDATE:
        vsock_stream_want(s);
        break;
    case VSOCK_CREDIT_REQUEST:
        s->owed |= OWED_CREDIT_UPDATE;
        vsock_stream_want(s);
        break;
    default: /* for example a second REQUEST: the two sides disagree about the connection */
        vsock_stream_reset(s);
    }
}

void vsock_stream_receive(struct vsock_stream *s, const struct vsock_packet *packet,
                          struct bytes payload)
{
    take_credit(s, packet);
    if (packet->op == VSOCK_RST)
        vsock_stream_free(s);
    else if (packet->op == VSOCK_RESPONSE && s->state == VSOCK_CONNECTING_GUEST)
        receive_response(s);
    else if (s->state == VSOCK_OPEN || s->state == VSOCK_CLOSING)
        receive_established(s, packet, payload);
    else
        vsock_stream_reset(s);
}

/* Tells the guest that no more will be sent and, if the host hung up, that nobody receives. */
static void say_end(struct vsock_stream *s)
{
    s->said_flags |= VSOCK_NO_SEND | (s->host_hung_up && !s->host_shut ? VSOCK_NO_RECEIVE : 0);
    s->owed |= OWED_SHUTDOWN;
    vsock_stream_settle(s);
}

/* Reads from the host for the guest. *len 0: nothing to read. False: s was freed. */
static bool read_host(struct vsock_stream *s, uint8_t *payload, size_t room, size_t *len)
{
    size_t want = room < credit(s) ? room : credit(s);
    *len = 0;
    ssize_t n = recv(s->host.fd, payload, want, MSG_DONTWAIT);
    if (n > 0) {
        *len = (size_t)n;
        s->sent += (uint32_t)n;
        return true;
    }
    if (n == 0) {
        say_end(s);
        return true;
    }
    if (errno != EAGAIN && errno != EINTR) {
        vsock_stream_reset(s);
        return false;
    }
    s->host_readable = errno == EINTR;
    return true;
}

/* Takes the most urgent packet that is owed; VSOCK_INVALID: none. */
static uint16_t next_owed(struct vsock_stream *s)
{
    static const struct {
        unsigned owed;
        uint16_t op;
    } order[] = {
        {OWED_REQUEST, VSOCK_REQUEST},
        {OWED_RESPONSE, VSOCK_RESPONSE},
        {OWED_SHUTDOWN, VSOCK_SHUTDOWN},
        {OWED_CREDIT_UPDATE, VSOCK_CREDIT_UPDATE},
        {OWED_CREDIT_REQUEST, VSOCK_CREDIT_REQUEST},
    };
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        if ((s->owed & order[i].owed) != 0) {
            s->owed &= ~order[i].owed;
            return order[i].op;
        }
    }
    return VSOCK_INVALID;
}

bool vsock_stream_next(struct vsock_stream *s, struct vsock_packet *packet, uint8_t *payload,
                       size_t room)
{
    size_t len = 0;
    bool first_owed = (s->owed & (OWED_REQUEST | OWED_RESPONSE)) != 0;
    if (!first_owed && may_read(s) && credit(s) > 0 && !read_host(s, payload, room, &len))
        return false;
    uint16_t op = len > 0 ? VSOCK_RW : next_owed(s);
    if (op == VSOCK_INVALID)
        return false; /* a later event gives it a new turn */
    *packet = (struct vsock_packet){.src_cid = s->cid,
                                    .dst_cid = s->vsock->guest_cid,
                                    .src_port = s->host_port,
                                    .dst_port = s->guest_port,
                                    .len = (uint32_t)len,
                                    .type = VSOCK_TYPE_STREAM,
                                    .op = op,
                                    .flags = op == VSOCK_SHUTDOWN ? s->said_flags : 0,
                                    .buf_alloc = VSOCK_WINDOW,
                                    .fwd_cnt = s->forwarded};
    s->forwarded_said = s->forwarded; /* every packet carries it */
    s->owed &= ~OWED_CREDIT_UPDATE;
    vsock_stream_want(s);
    return true;
}

void vsock_stream_tick(struct vsock_stream *s, int64_t now_ms)
{
    if (now_ms >= s->deadline_ms) {
        if (s->state == VSOCK_DRAINING)
            vsock_stream_free(s);
        else
            vsock_stream_reset(s);
    } else if (s->must_retry) {
        vsock_stream_connect(s);
    }
}
