/* SPDX-License-Identifier: Apache-2.0 */
/* The host socket of a connection: connecting, writing, and its events. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sim/vsock/vsock_internal.h"

void vsock_stream_close_host(struct vsock_stream *s)
{
    if (s->host.fd < 0)
        return;
    event_remove(s->vsock->loop, &s->host);
    close(s->host.fd);
    s->host.fd = -1;
}

static void connected(struct vsock_stream *s)
{
    s->state = VSOCK_OPEN;
    s->deadline_ms = INT64_MAX;
    s->owed |= OWED_RESPONSE;
    s->host_readable = true;
    vsock_stream_want(s);
}

static void cannot_connect(struct vsock_stream *s, int reason)
{
    const char *where = s->target->open == NULL ? s->target->address.text : "here";
    if (vsock_may_log(s->vsock))
        log_warning("vsock: the guest's connection to port %u is refused: %s: %s", s->host_port,
                    where, strerror(reason));
    vsock_stream_reset(s);
}

/* Opens the target's socket, or starts to; -1 with errno. */
static int open_target(const struct vsock_target *target, bool *pending)
{
    *pending = false;
    if (target->open != NULL)
        return target->open(target->context);
    const struct sockaddr *name = (const struct sockaddr *)&target->address.storage;
    int fd = socket(name->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    int on = 1;
    if (address_is_tcp(&target->address))
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, name, target->address.len) == 0)
        return fd;
    *pending = errno == EINPROGRESS || errno == EINTR;
    if (*pending)
        return fd;
    int reason = errno;
    close(fd);
    errno = reason;
    return -1;
}

void vsock_stream_connect(struct vsock_stream *s)
{
    bool pending;
    int fd = open_target(s->target, &pending);
    /* EAGAIN: the backlog of a unix socket is full. It is tried again until the time limit. */
    s->must_retry = fd < 0 && errno == EAGAIN;
    if (s->must_retry)
        return;
    if (fd < 0) {
        cannot_connect(s, errno);
        return;
    }
    s->host.fd = fd;
    if (!event_add(s->vsock->loop, &s->host, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, NULL))
        vsock_stream_reset(s);
    else if (!pending)
        connected(s);
}

static bool finish_connect(struct vsock_stream *s)
{
    int reason = 0;
    socklen_t len = sizeof reason;
    if (getsockopt(s->host.fd, SOL_SOCKET, SO_ERROR, &reason, &len) != 0)
        reason = errno;
    if (reason != 0) {
        cannot_connect(s, reason);
        return false;
    }
    connected(s);
    return true;
}

/* The host takes nothing more: tells the guest, and discards what it sent. False: s was freed. */
static bool stop_receiving(struct vsock_stream *s)
{
    if (s->state == VSOCK_DRAINING) {
        vsock_stream_free(s);
        return false;
    }
    s->forwarded += s->window_len;
    s->window_len = 0;
    s->said_flags |= VSOCK_NO_RECEIVE;
    s->owed |= OWED_SHUTDOWN;
    vsock_stream_settle(s);
    return true;
}

/* *n: the bytes written, 0 if the socket is full. False: s was freed. */
static bool write_host(struct vsock_stream *s, struct bytes bytes, size_t *n)
{
    *n = 0;
    ssize_t sent = send(s->host.fd, bytes.at, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0) {
        *n = (size_t)sent;
        s->forwarded += (uint32_t)sent;
        return true;
    }
    if (errno == EAGAIN || errno == EINTR)
        return true;
    if (errno == EPIPE)
        return stop_receiving(s);
    if (s->state == VSOCK_DRAINING)
        vsock_stream_free(s);
    else
        vsock_stream_reset(s);
    return false;
}

/*
 * Owes a credit update once so much was forwarded that the guest does not know of. Not as late as
 * its window would allow: a Linux guest has no more on the way than its own buffer holds.
 */
static void offer_credit(struct vsock_stream *s)
{
    if (s->forwarded - s->forwarded_said < VSOCK_CREDIT_STEP)
        return;
    s->owed |= OWED_CREDIT_UPDATE;
    vsock_stream_want(s);
}

/* Everything has been written. False: s was freed. */
static bool finish_writing(struct vsock_stream *s)
{
    if (s->state == VSOCK_DRAINING) {
        vsock_stream_free(s);
        return false;
    }
    if ((s->heard_flags & VSOCK_NO_SEND) != 0 && !s->host_shut && s->host.fd >= 0) {
        s->host_shut = true;
        (void)shutdown(s->host.fd, SHUT_WR);
    }
    return true;
}

bool vsock_stream_flush(struct vsock_stream *s)
{
    while (s->window_len > 0) {
        size_t n, tail = VSOCK_WINDOW - s->window_first;
        struct bytes piece =
            bytes_of(s->window + s->window_first, tail < s->window_len ? tail : s->window_len);
        if (!write_host(s, piece, &n))
            return false;
        if (n == 0 || s->window_len == 0)
            break;
        s->window_first = (s->window_first + (uint32_t)n) % VSOCK_WINDOW;
        s->window_len -= (uint32_t)n;
        if (s->state == VSOCK_DRAINING)
            s->deadline_ms = clock_monotonic_ms() + VSOCK_DRAIN_MS;
        offer_credit(s);
    }
    return s->window_len > 0 || finish_writing(s);
}

/* Appends bytes to what waits; the caller has checked that they fit. */
static void append(struct vsock_stream *s, struct bytes bytes)
{
    uint32_t at = (s->window_first + s->window_len) % VSOCK_WINDOW;
    size_t tail = VSOCK_WINDOW - at;
    size_t here = bytes.len < tail ? bytes.len : tail;
    memcpy(s->window + at, bytes.at, here);
    memcpy(s->window, bytes.at + here, bytes.len - here);
    s->window_len += (uint32_t)bytes.len;
}

bool vsock_stream_put(struct vsock_stream *s, struct bytes bytes)
{
    size_t n = 0;
    if (s->window_len == 0 && bytes.len > 0 && !write_host(s, bytes, &n))
        return false;
    offer_credit(s);
    bytes = bytes_from(bytes, n);
    if (bytes.len == 0 || s->host.fd < 0 || (s->said_flags & VSOCK_NO_RECEIVE) != 0)
        return true;
    if (s->window == NULL && (s->window = malloc(VSOCK_WINDOW)) == NULL) {
        vsock_stream_reset(s);
        return false;
    }
    append(s, bytes);
    return true;
}

/* Whether the host, which had ended its side, now has closed the other direction, too. */
static bool host_left(const struct vsock_stream *s)
{
    return s->host_hung_up && !s->host_shut && s->state == VSOCK_OPEN &&
           (s->said_flags & VSOCK_NO_SEND) != 0;
}

void vsock_stream_ready(struct event_source *source, uint32_t events)
{
    struct vsock_stream *s = (struct vsock_stream *)source; /* its first member */
    bool readable = (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
    bool writable = (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0;
    if (s->state == VSOCK_CONNECTING_HOST && (!writable || !finish_connect(s)))
        return;
    s->host_readable |= readable;
    s->host_hung_up |= (events & EPOLLHUP) != 0;
    if (writable && !vsock_stream_flush(s))
        return;
    if (host_left(s) && !stop_receiving(s))
        return;
    vsock_stream_want(s);
}
