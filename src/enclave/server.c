/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/server.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "enclave/answer.h"
#include "enclave/connection.h"
#include "enclave/worker.h"
#include "net/frame.h"

#define EVENTS_A_ROUND  128
#define ACCEPTS_A_ROUND 64
#define ACCEPT_PAUSE_MS 100  /* after running out of descriptors or memory */
#define END_WAIT_MS     2000 /* for a peer to close after an error that ends its connection */

struct server {
    struct service *service;
    const struct limits *limits;
    struct server_ports ports;
    struct worker *worker;
    int epoll_fd;

    struct workspace workspace;
    uint8_t *inbox;       /* SERVER_READ_SIZE bytes of secret memory, shared by all connections */
    struct buffer outbox; /* answers of the connection being served */

    struct connection_list lists[WAITING_KINDS];
    struct connection *closed; /* to be freed at the end of the round, linked by next */
    size_t buffered;           /* sum of what connections hold */
    int64_t now_ms;
    int64_t accept_again_ms; /* 0: the listener is watched */
    int64_t drain_until_ms;  /* 0: not stopping */
};

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
    size_t holds = c->in.cap + c->out.cap;
    if (c->answering) /* its request is with the job */
        holds += c->accounted;
    s->buffered = s->buffered - c->accounted + holds;
    c->accounted = holds;
}

/* The memory goes at the end of the round: an event of this round may still point to it. */
static void close_connection(struct server *s, struct connection *c)
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

static void free_closed(struct server *s)
{
    for (struct connection *c = s->closed, *next; c != NULL; c = next) {
        next = c->next;
        connection_free(c);
    }
    s->closed = NULL;
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

/* An error that ends the connection, once it is sent. */
static void end_with(struct server *s, struct connection *c, enum error_code code)
{
    answer_error(&s->outbox, code);
    atomic_fetch_add_explicit(&s->service->errors, 1, memory_order_relaxed);
    buffer_clear(&c->in);
    c->ending = true;
}

/* --- serving --------------------------------------------------------------------------------- */

/* Hands a whole frame to another thread: moved if the connection holds just it, else copied. */
static struct job *make_job(struct connection *c, struct bytes frame)
{
    struct job *job = job_new(c, c->in.limit, c->out.limit);
    if (job == NULL)
        return NULL;
    if (frame.at == c->in.at && frame.len == c->in.len) {
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
    struct job *job = make_job(c, frame);
    if (job == NULL) {
        answer_error(&s->outbox, ERROR_MEMORY);
        return;
    }
    c->answering = true;
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
    if (request_serve(s->service, &s->workspace, content, &s->outbox) == REQUEST_CONFIGURE)
        serve_elsewhere(s, c, frame, false);
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
    if (!c->ending && !may_hold(s, c, got - served))
        end_with(s, c, ERROR_BUSY);
    if (!c->ending)
        buffer_append(&c->in, bytes_from(input, served));
    wipe(s->inbox, got);
    if (c->in.failed)
        end_with(s, c, ERROR_MEMORY);
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
    if (c->answering) {
        watch(s, c, 0);
        connection_wait(s->lists, c, WAITING_ANSWER, s->now_ms);
    } else if (c->broken) {
        close_connection(s, c);
    } else if (c->out.len > 0) {
        watch(s, c, EPOLLOUT);
        if (progress || c->waiting != WAITING_READER)
            connection_wait(s->lists, c, WAITING_READER, s->now_ms);
    } else if (c->ending && !c->ended_by_peer) {
        begin_end(s, c);
    } else if (c->ended_by_peer || c->ending || (s->drain_until_ms != 0 && !partial)) {
        close_connection(s, c);
    } else {
        watch(s, c, EPOLLIN);
        if (!partial)
            connection_wait(s->lists, c, WAITING_REQUEST, s->now_ms);
        else if (progress || c->waiting != WAITING_FRAME)
            connection_wait(s->lists, c, WAITING_FRAME, s->now_ms);
    }
}

static void on_event(struct server *s, struct connection *c, uint32_t events)
{
    bool progress = false;
    if (c->fd < 0)
        return;
    if (c->waiting == WAITING_ANSWER) {
        /* Only an error or a hang-up is reported: nobody is left to answer. */
        c->broken = true;
        epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
        return;
    }
    if (c->waiting == WAITING_END) {
        size_t got;
        if (!receive(c, s->inbox, SERVER_READ_SIZE, &got) && (c->ended_by_peer || c->broken))
            close_connection(s, c);
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

static void on_done(struct server *s)
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
        s->buffered -= c->accounted;
        c->accounted = 0;
        if (job->answer.len == 0)
            c->broken = true;
        struct buffer empty = c->out;
        c->out = job->answer;
        job->answer = empty;
        job_free(job);
        bool progress = true;
        if (!c->broken)
            send_pending(c);
        if (!c->broken && c->out.len == 0)
            progress = serve_pending(s, c);
        settle(s, c, progress);
    }
}

/* --- accepting ------------------------------------------------------------------------------- */

static void refuse(struct server *s, int fd)
{
    struct connection c = {.fd = fd};
    answer_error(&s->outbox, ERROR_TOO_MANY_CONNECTIONS);
    (void)send_some(&c, buffer_bytes(&s->outbox));
    buffer_reset(&s->outbox);
    /* What has arrived is taken first: bytes left unread would reset the answer away. */
    shutdown(fd, SHUT_WR);
    (void)recv(fd, s->inbox, SERVER_READ_SIZE, MSG_DONTWAIT | MSG_TRUNC);
    close(fd);
    atomic_fetch_add_explicit(&s->service->refused, 1, memory_order_relaxed);
}

static void admit(struct server *s, int fd)
{
    struct connection *c = connection_new(fd, s->limits->frame_bytes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c == NULL || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        if (c != NULL) {
            c->fd = -1;
            connection_free(c);
        }
        refuse(s, fd);
        return;
    }
    c->events = EPOLLIN;
    atomic_fetch_add_explicit(&s->service->connections, 1, memory_order_relaxed);
    connection_wait(s->lists, c, WAITING_REQUEST, s->now_ms);
}

static void watch_listener(struct server *s, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = &s->ports.listener};
    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->ports.listener, &event);
    s->accept_again_ms = on ? 0 : s->now_ms + ACCEPT_PAUSE_MS;
}

static void on_accept(struct server *s)
{
    for (int i = 0; i < ACCEPTS_A_ROUND && s->ports.listener >= 0; i++) {
        int fd = accept4(s->ports.listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)) {
            log_warning("cannot accept: %s; trying again in %d ms", strerror(errno),
                        ACCEPT_PAUSE_MS);
            watch_listener(s, false);
            return;
        }
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (fd < 0)
            continue; /* that one connection failed before it was taken */
        if ((int64_t)atomic_load(&s->service->connections) < s->limits->connections)
            admit(s, fd);
        else
            refuse(s, fd);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static void run_out(struct server *s, struct connection *c)
{
    if (c->waiting == WAITING_FRAME) {
        end_with(s, c, ERROR_TIMEOUT);
        settle(s, c, false);
    } else {
        close_connection(s, c);
    }
}

static void check_limits(struct server *s)
{
    for (size_t kind = 0; kind < WAITING_KINDS; kind++) {
        struct connection *c;
        while ((c = s->lists[kind].first) != NULL && c->until_ms <= s->now_ms)
            run_out(s, c);
    }
    if (s->accept_again_ms != 0 && s->accept_again_ms <= s->now_ms && s->ports.listener >= 0)
        watch_listener(s, true);
}

static int next_wake(const struct server *s)
{
    int64_t next = INT64_MAX;
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        if (s->lists[kind].first != NULL && s->lists[kind].first->until_ms < next)
            next = s->lists[kind].first->until_ms;
    if (s->accept_again_ms != 0 && s->accept_again_ms < next)
        next = s->accept_again_ms;
    if (s->drain_until_ms != 0 && s->drain_until_ms < next)
        next = s->drain_until_ms;
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - s->now_ms;
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* --- start, rounds, stop --------------------------------------------------------------------- */

static void close_listener(struct server *s)
{
    if (s->ports.listener >= 0)
        close(s->ports.listener);
    s->ports.listener = -1;
    s->accept_again_ms = 0;
}

/* Closes connections with nothing under way; the others may finish. */
static void begin_drain(struct server *s)
{
    log_info("stopping: no new connections, finishing what is under way");
    close_listener(s);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->ports.signal_fd, NULL);
    s->drain_until_ms = s->now_ms + s->limits->drain_ms;
    while (s->lists[WAITING_REQUEST].first != NULL)
        close_connection(s, s->lists[WAITING_REQUEST].first);
}

static bool is_drained(const struct server *s)
{
    if (s->drain_until_ms == 0)
        return false;
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        if (s->lists[kind].first != NULL)
            return s->drain_until_ms <= s->now_ms;
    return true;
}

static void round_of_events(struct server *s, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        void *what = events[i].data.ptr;
        if (what == &s->ports.listener)
            on_accept(s);
        else if (what == &s->ports.done_fd)
            on_done(s);
        else if (what == &s->ports.signal_fd)
            begin_drain(s);
        else
            on_event(s, what, events[i].events);
    }
}

static bool serve_until_stopped(struct server *s, struct error *err)
{
    struct epoll_event events[EVENTS_A_ROUND];
    s->now_ms = clock_monotonic_ms();
    while (!is_drained(s)) {
        int count = epoll_wait(s->epoll_fd, events, EVENTS_A_ROUND, next_wake(s));
        if (count < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_SYSTEM, "epoll_wait");
        s->now_ms = clock_monotonic_ms();
        round_of_events(s, events, count);
        check_limits(s);
        free_closed(s);
    }
    return true;
}

static bool add_port(struct server *s, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0;
}

static bool open_server(struct server *s, struct error *err)
{
    int on = 1;
    /* Accepted sockets inherit it; on anything but TCP it fails and does not matter. */
    (void)setsockopt(s->ports.listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0 || !add_port(s, &s->ports.listener) || !add_port(s, &s->ports.done_fd) ||
        !add_port(s, &s->ports.signal_fd))
        return error_set_errno(err, ERROR_SYSTEM, "epoll");
    s->inbox = secret_alloc(SERVER_READ_SIZE);
    if (s->inbox == NULL)
        return error_set(err, ERROR_MEMORY, "no locked memory for the server");
    s->worker = worker_start(s->service, s->ports.done, err);
    return s->worker != NULL;
}

/* All that is still open is closed, and jobs that come back too late find nobody. */
static void close_server(struct server *s)
{
    worker_stop(s->worker);
    session_stop(s->service->session);
    for (struct job *job = job_take_all(s->ports.done), *next; job != NULL; job = next) {
        next = job->next;
        job_free(job);
    }
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        while (s->lists[kind].first != NULL)
            close_connection(s, s->lists[kind].first);
    free_closed(s);
    close_listener(s);
    workspace_clear(&s->workspace);
    buffer_clear(&s->outbox);
    secret_free(s->inbox, SERVER_READ_SIZE);
    if (s->epoll_fd >= 0)
        close(s->epoll_fd);
}

bool server_run(struct service *service, const struct server_ports *ports, struct error *err)
{
    const struct limits *limits = &service->config->limits;
    struct server s = {.service = service, .limits = limits, .ports = *ports, .epoll_fd = -1};
    workspace_init(&s.workspace, KEYRING_LOOP, limits->frame_bytes, limits->json_depth);
    buffer_init(&s.outbox, limits->frame_bytes + ANSWER_SLACK + SERVER_READ_SIZE);
    s.lists[WAITING_REQUEST].limit_ms = limits->idle_ms;
    s.lists[WAITING_FRAME].limit_ms = limits->frame_ms;
    s.lists[WAITING_ANSWER].limit_ms = INT64_MAX;
    s.lists[WAITING_READER].limit_ms = limits->write_ms;
    s.lists[WAITING_END].limit_ms = END_WAIT_MS;
    bool ok = open_server(&s, err) && serve_until_stopped(&s, err);
    close_server(&s);
    return ok;
}
