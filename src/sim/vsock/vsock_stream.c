/* SPDX-License-Identifier: Apache-2.0 */
/* A connection's packets: those that come from the guest, and those that go to it. */
#include "sim/vsock/vsock_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define BOTH (VSOCK_NO_RECEIVE | VSOCK_NO_SEND)

/* Bytes that the guest has room for; what it claims of its room can make this wrong, never large.
 */
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

void vsock_stream_drain(struct vsock_stream *s)
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

/* The guest will not send or not receive any more, or neither. */
static void receive_shutdown(struct vsock_stream *s, uint32_t flags)
{
    s->heard_flags |= flags & BOTH;
    if (s->state == VSOCK_CLOSING || s->heard_flags == BOTH) {
        /* The guest waits for this reset before it lets its socket go. What it has sent is still
         * delivered. */
        if (s->heard_flags == BOTH) {
            vsock_reset_to(s->vsock, s->cid, s->host_port, s->guest_port);
            vsock_stream_drain(s);
        }
        return;
    }
    if ((s->heard_flags & VSOCK_NO_RECEIVE) != 0)
        (void)shutdown(s->host.fd, SHUT_RD); /* a unix peer that writes on is told; TCP cannot */
    if (vsock_stream_flush(s))
        vsock_stream_settle(s);
}

static void receive_data(struct vsock_stream *s, struct bytes payload)
{
    if ((s->heard_flags & VSOCK_NO_SEND) != 0 || payload.len > VSOCK_WINDOW - s->window_len) {
        if (vsock_may_complain(s->vsock))
            log_warning("vsock: port %u of the guest sends what it said it would not, or more than "
                        "it was granted: reset",
                        s->guest_port);
        vsock_stream_reset(s);
    } else if (s->state == VSOCK_CLOSING || (s->said_flags & VSOCK_NO_RECEIVE) != 0) {
        s->forwarded += (uint32_t)payload.len; /* on its way before the guest knew */
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

void vsock_stream_receive(struct vsock_stream *s, const struct vsock_packet *packet,
                          struct bytes payload)
{
    bool stands = s->state == VSOCK_OPEN || s->state == VSOCK_CLOSING;
    take_credit(s, packet);
    if (packet->op == VSOCK_RST)
        vsock_stream_free(s);
    else if (packet->op == VSOCK_RESPONSE && s->state == VSOCK_CONNECTING_GUEST)
        receive_response(s);
    else if (packet->op == VSOCK_RW && stands)
        receive_data(s, payload);
    else if (packet->op == VSOCK_SHUTDOWN && stands)
        receive_shutdown(s, packet->flags);
    else if (packet->op == VSOCK_CREDIT_UPDATE && stands)
        vsock_stream_want(s);
    else if (packet->op == VSOCK_CREDIT_REQUEST && stands) {
        s->owed |= OWED_CREDIT_UPDATE;
        vsock_stream_want(s);
    } else
        vsock_stream_reset(s); /* also a second REQUEST: one of both sides has lost the thread */
}

/* Says to the guest that no more will be sent, and if the host hung up, that nobody listens. */
static void say_end(struct vsock_stream *s)
{
    s->said_flags |= VSOCK_NO_SEND | (s->host_hung_up && !s->host_shut ? VSOCK_NO_RECEIVE : 0);
    s->owed |= OWED_SHUTDOWN;
    vsock_stream_settle(s);
}

/* Reads from the host for the guest. *len 0: nothing there. False: s is freed. */
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

/* What is owed, most urgent first; 0: nothing. */
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
        return false; /* a new event will bring it back */
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
    s->forwarded_said = s->forwarded; /* every packet says it */
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
