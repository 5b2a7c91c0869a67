/* SPDX-License-Identifier: Apache-2.0 */
/* One connection's bytes: received, served, sent; and what it waits for next. */
#include "enclave/server_internal.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/secret.h"
#include "enclave/answer.h"
#include "net/frame.h"

/* --- watching and closing -------------------------------------------------------------------- */

static void watch(struct server *s, struct connection *c, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = c};
    if (c->events == events)
        return;
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, c->fd, &event) == 0)
        c->events = events;
    else
        c->broken = true;
}

static void account(struct server *s, struct connection *c)
{
    size_t holds = c->in.cap + c->out.cap + c->with_job;
    s->buffered = s->buffered - c->accounted + holds;
    c->accounted = holds;
}

void traffic_close(struct server *s, struct connection *c)
{
    connection_unlist(s->lists, c);
    buffer_clear(&c->in);
    buffer_clear(&c->out);
    s->buffered -= c->accounted;
    c->accounted = 0;
    close(c->fd);
    c->fd = -1;
    c->next = s->closed;
    s->closed = c;
    atomic_fetch_sub_explicit(&s->service->connections, 1, memory_order_relaxed);
}

/* --- sending --------------------------------------------------------------------------------- */

/* Sends what it can of data; the number of bytes taken. A connection that failed is marked so. */
static size_t send_some(struct connection *c, struct bytes data)
{
    size_t sent = 0;
    while (sent < data.len) {
        ssize_t n = send(c->fd, data.at + sent, data.len - sent, MSG_NOSIGNAL);
        if (n > 0) {
            sent += (size_t)n;
        } else if (n < 0 && errno != EINTR) {
            c->broken = errno != EAGAIN && errno != EWOULDBLOCK && errno != ENOBUFS;
            break;
        }
    }
    return sent;
}

static void send_pending(struct connection *c)
{
    c->out_sent += send_some(c, bytes_from(buffer_bytes(&c->out), c->out_sent));
    if (c->out_sent == c->out.len) {
        buffer_clear(&c->out);
        c->out_sent = 0;
    }
}

/* Sends the outbox; what the peer does not take at once is kept for it. */
static void flush(struct server *s, struct connection *c)
{
    if (s->outbox.len > 0 && !c->broken) {
        size_t sent = c->out.len == 0 ? send_some(c, buffer_bytes(&s->outbox)) : 0;
        buffer_append(&c->out, bytes_from(buffer_bytes(&s->outbox), sent));
        if (c->out.failed)
            c->broken = true; /* half an answer is worse than none */
    }
    if (s->outbox.cap > 4 * SERVER_READ_SIZE)
        buffer_clear(&s->outbox);
    else
        buffer_reset(&s->outbox);
}

/* An error that ends the connection, once it is sent; behind the answer that a job is to bring. */
static void end_with(struct server *s, struct connection *c, enum error_code code)
{
    if (c->answering) {
        buffer_clear(&c->in);
        c->ends_with = code;
        return;
    }
    answer_error(&s->outbox, code);
    atomic_fetch_add_explicit(&s->service->errors, 1, memory_order_relaxed);
    buffer_clear(&c->in);
    c->ending = true;
}

/* --- serving --------------------------------------------------------------------------------- */

/* Whether a frame is all that the connection holds: then it need not be copied. */
static bool is_all(const struct connection *c, struct bytes frame)
{
    return frame.at == c->in.at && frame.len == c->in.len;
}

/* Hands a whole frame to another thread: moved if the connection holds just it, else copied. */
static struct job *make_job(struct connection *c, struct bytes frame)
{
    struct job *job = job_new(c, c->in.limit, c->out.limit);
    if (job == NULL)
        return NULL;
    if (is_all(c, frame)) {
        struct buffer empty = job->request;
        job->request = c->in;
        c->in = empty;
        return job;
    }
    buffer_append(&job->request, frame);
    if (!job->request.failed)
        return job;
    job_free(job);
    return NULL;
}

static void serve_elsewhere(struct server *s, struct connection *c, struct bytes frame, bool worker)
{
    if (!is_all(c, frame) && s->buffered + frame.len > s->limits->buffered_bytes) {
        end_with(s, c, ERROR_BUSY);
        return;
    }
    struct job *job = make_job(c, frame);
    if (job == NULL) {
        answer_error(&s->outbox, ERROR_MEMORY);
        return;
    }
    c->answering = true;
    c->with_job = job->request.cap;
    if (worker)
        worker_put(s->worker, job);
    else
        session_configure(s->service->session, job);
}

static void serve_frame(struct server *s, struct connection *c, struct bytes frame)
{
    if (frame.len > SERVER_READ_SIZE) {
        serve_elsewhere(s, c, frame, true);
        return;
    }
    struct bytes content = bytes_from(frame, FRAME_HEADER_SIZE);
    size_t before = s->outbox.len;
    if (request_serve(s->service, &s->workspace, content, &s->outbox) == REQUEST_CONFIGURE)
        serve_elsewhere(s, c, frame, false);
    else if (s->outbox.len == before)
        c->broken = true; /* no memory even for an error: better no answers than shifted ones */
    if (s->outbox.len > SERVER_READ_SIZE)
        flush(s, c);
}

/* May the next frame be served now? Answers leave in the order the requests came. */
static bool is_open(const struct connection *c)
{
    return !c->answering && !c->ending && !c->broken && c->out.len == 0;
}

/* Serves the whole frames at the beginning of input; the number of bytes they took. */
static size_t serve_frames(struct server *s, struct connection *c, struct bytes input)
{
    size_t at = 0;
    while (is_open(c) && input.len - at >= FRAME_HEADER_SIZE) {
        size_t len = be32_load(input.at + at);
        if (len > s->limits->frame_bytes) {
            end_with(s, c, ERROR_FRAME_TOO_LARGE);
            return input.len;
        }
        if (input.len - at - FRAME_HEADER_SIZE < len)
            break;
        serve_frame(s, c, bytes_of(input.at + at, FRAME_HEADER_SIZE + len));
        at += FRAME_HEADER_SIZE + len;
    }
    return at;
}

/* --- receiving ------------------------------------------------------------------------------- */

/* One read; false if nothing came, with the connection marked where it ended or failed. */
static bool receive(struct connection *c, uint8_t *at, size_t size, size_t *got)
{
    ssize_t n = recv(c->fd, at, size, 0);
    if (n > 0) {
        *got = (size_t)n;
        return true;
    }
    if (n == 0)
        c->ended_by_peer = true;
    else
        c->broken = errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
    return false;
}

/* Whether c may hold more bytes without the sum over all connections passing its limit. */
static bool may_hold(const struct server *s, const struct connection *c, size_t more)
{
    size_t room = c->in.cap - c->in.len;
    return more <= room || s->buffered + c->in.cap + more <= s->limits->buffered_bytes;
}

/* Into the shared inbox: the common case, where whole frames arrive and nothing is copied. */
static bool receive_first(struct server *s, struct connection *c)
{
    size_t got;
    if (!receive(c, s->inbox, SERVER_READ_SIZE, &got))
        return false;
    struct bytes input = bytes_of(s->inbox, got);
    size_t served = serve_frames(s, c, input);
    if (!c->ending && may_hold(s, c, got - served)) {
        buffer_append(&c->in, bytes_from(input, served));
        if (c->in.failed)
            end_with(s, c, ERROR_MEMORY);
    } else if (!c->ending) {
        end_with(s, c, ERROR_BUSY);
    }
    wipe(s->inbox, got);
    return served > 0;
}

static bool serve_pending(struct server *s, struct connection *c)
{
    size_t before = c->in.len;
    size_t served = serve_frames(s, c, buffer_bytes(&c->in));
    if (served > 0 && c->in.len == before) /* not moved away or dropped meanwhile */
        buffer_consume(&c->in, served);
    if (c->in.len == 0)
        buffer_clear(&c->in);
    return served > 0;
}

/* The rest of a frame that has begun: read to its end and no further. */
static bool receive_rest(struct server *s, struct connection *c)
{
    size_t want = FRAME_HEADER_SIZE - c->in.len, got;
    if (c->in.len >= FRAME_HEADER_SIZE)
        want = FRAME_HEADER_SIZE + be32_load(c->in.at) - c->in.len;
    if (want > SERVER_READ_SIZE)
        want = SERVER_READ_SIZE;
    if (!may_hold(s, c, want)) {
        end_with(s, c, ERROR_BUSY);
        return true;
    }
    uint8_t *at = buffer_reserve(&c->in, want);
    if (at == NULL) {
        end_with(s, c, ERROR_MEMORY);
        return true;
    }
    if (!receive(c, at, want, &got))
        return false;
    buffer_commit(&c->in, got);
    return serve_pending(s, c);
}

/* --- a connection's next state --------------------------------------------------------------- */

static void begin_end(struct server *s, struct connection *c)
{
    /* Closing with unread bytes would reset the connection and take the error answer with it. */
    shutdown(c->fd, SHUT_WR);
    watch(s, c, EPOLLIN);
    connection_wait(s->lists, c, WAITING_END, s->now_ms);
}

/* Whether bytes have arrived that were not read: closing now would reset answers away. */
static bool has_arrived(const struct connection *c)
{
    uint8_t byte;
    return recv(c->fd, &byte, sizeof byte, MSG_PEEK) > 0;
}

/* After anything happened: what is c waiting for now? progress: a frame was finished. */
static void settle(struct server *s, struct connection *c, bool progress)
{
    flush(s, c);
    bool partial = c->in.len > 0 && is_open(c);
    if (partial && c->ended_by_peer) {
        end_with(s, c, ERROR_FRAME_TRUNCATED);
        flush(s, c);
        partial = false;
    }
    account(s, c);
    if (c->out.len > 0 && s->buffered > s->limits->buffered_bytes && s->buffered > c->accounted)
        c->broken = true; /* no room to keep an answer until it is taken */
    bool idle = c->out.len == 0 && !c->answering && !c->broken && !partial && !c->ending;
    bool drained = s->drain_until_ms != 0 && idle && !has_arrived(c);
    bool over = c->broken || drained || (c->out.len == 0 && c->ended_by_peer);
    if (c->answering) {
        /* Earlier answers go on leaving meanwhile. */
        watch(s, c, c->out.len > 0 && !c->broken ? EPOLLOUT : 0);
        connection_wait(s->lists, c, WAITING_ANSWER, s->now_ms);
    } else if (over) {
        traffic_close(s, c);
    } else if (c->out.len > 0) {
        watch(s, c, EPOLLOUT);
        if (progress || c->waiting != WAITING_READER)
            connection_wait(s->lists, c, WAITING_READER, s->now_ms);
    } else if (c->ending) {
        begin_end(s, c);
    } else {
        watch(s, c, EPOLLIN);
        if (!partial)
            connection_wait(s->lists, c, WAITING_REQUEST, s->now_ms);
        else if (progress || c->waiting != WAITING_FRAME)
            connection_wait(s->lists, c, WAITING_FRAME, s->now_ms);
    }
}

void traffic_on_event(struct server *s, struct connection *c, uint32_t events)
{
    bool progress = false;
    if (c->fd < 0)
        return;
    if (c->waiting == WAITING_ANSWER && (events & (EPOLLERR | EPOLLHUP)) != 0) {
        /* Nobody is left to answer. */
        c->broken = true;
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    if (c->waiting == WAITING_ANSWER) {
        send_pending(c);
        settle(s, c, false);
        return;
    }
    if (c->waiting == WAITING_END) {
        size_t got;
        if (receive(c, s->inbox, SERVER_READ_SIZE, &got))
            wipe(s->inbox, got);
        else if (c->ended_by_peer || c->broken)
            traffic_close(s, c);
        return;
    }
    if ((events & EPOLLIN) == 0 && (events & (EPOLLERR | EPOLLHUP)) != 0)
        c->broken = true;
    if (!c->broken && c->out.len > 0) {
        send_pending(c);
        if (c->out.len == 0)
            progress = serve_pending(s, c);
    } else if (!c->broken) {
        progress = c->in.len == 0 ? receive_first(s, c) : receive_rest(s, c);
    }
    settle(s, c, progress);
}

/* The answer goes behind what the peer has not taken yet of earlier ones. */
static void take_answer(struct connection *c, struct buffer *answer)
{
    if (c->out.len > 0) {
        buffer_append(&c->out, buffer_bytes(answer));
        c->broken = c->broken || c->out.failed;
        return;
    }
    struct buffer empty = c->out;
    c->out = *answer;
    *answer = empty;
}

void traffic_on_done(struct server *s)
{
    uint64_t count;
    ssize_t n = read(s->ports.done_fd, &count, sizeof count);
    (void)n;
    for (struct job *job = job_take_all(s->ports.done), *next; job != NULL; job = next) {
        struct connection *c = job->owner;
        next = job->next;
        if (job->failed)
            atomic_fetch_add_explicit(&s->service->errors, 1, memory_order_relaxed);
        c->answering = false;
        c->with_job = 0;
        if (job->answer.len == 0)
            c->broken = true;
        take_answer(c, &job->answer);
        job_free(job);
        account(s, c);
        if (c->ends_with != ERROR_NONE)
            end_with(s, c, c->ends_with);
        bool progress = true;
        if (!c->broken)
            send_pending(c);
        if (!c->broken && c->out.len == 0)
            progress = serve_pending(s, c);
        settle(s, c, progress);
    }
}

void traffic_on_timeout(struct server *s, struct connection *c)
{
    end_with(s, c, ERROR_TIMEOUT);
    settle(s, c, false);
}

void traffic_refuse(struct server *s, int fd)
{
    struct connection c = {.fd = fd};
    answer_error(&s->outbox, ERROR_TOO_MANY_CONNECTIONS);
    (void)send_some(&c, buffer_bytes(&s->outbox));
    buffer_reset(&s->outbox);
    /* What has arrived is taken first: bytes left unread would reset the answer away. */
    shutdown(fd, SHUT_WR);
    ssize_t n = recv(fd, s->inbox, SERVER_READ_SIZE, MSG_DONTWAIT);
    if (n > 0)
        wipe(s->inbox, (size_t)n);
    close(fd);
    atomic_fetch_add_explicit(&s->service->refused, 1, memory_order_relaxed);
}
