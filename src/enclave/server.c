/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/server_internal.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "enclave/answer.h"

#define EVENTS_A_ROUND  128
#define ACCEPTS_A_ROUND 64
#define ACCEPT_PAUSE_MS 100 /* after running out of descriptors or memory */
#define OWN_DESCRIPTORS \
    32 /* kept from clients: for KMS, the NSM, files, and the refusal of clients */
#define END_WAIT_MS 2000 /* for a peer to close after an error that ends its connection */

/* --- accepting ------------------------------------------------------------------------------- */

static void admit(struct server *s, int fd)
{
    struct connection *c = connection_new(fd, s->limits->frame_bytes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (c == NULL || epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        if (c != NULL) {
            c->fd = -1;
            connection_free(c);
        }
        traffic_refuse(s, fd);
        return;
    }
    c->events = EPOLLIN;
    atomic_fetch_add_explicit(&s->service->connections, 1, memory_order_relaxed);
    connection_wait(s->lists, c, WAITING_REQUEST, s->now_ms);
}

/* Whether the peer is one that may not even be answered: over vsock, not the parent instance. */
static bool is_stranger(const struct server *s, const struct sockaddr_storage *peer)
{
    const struct sockaddr_vm *vm = (const struct sockaddr_vm *)peer;
    return peer->ss_family == AF_VSOCK && s->ports.peer_cid != VMADDR_CID_ANY &&
           vm->svm_cid != s->ports.peer_cid;
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
        struct sockaddr_storage peer = {0};
        socklen_t peer_len = sizeof peer;
        int fd = accept4(s->ports.listener, (struct sockaddr *)&peer, &peer_len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
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
        if (is_stranger(s, &peer)) {
            close(fd);
            atomic_fetch_add_explicit(&s->service->strangers, 1, memory_order_relaxed);
        } else if ((int64_t)atomic_load(&s->service->connections) < s->connections_max)
            admit(s, fd);
        else
            traffic_refuse(s, fd);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static void run_out(struct server *s, struct connection *c)
{
    if (c->waiting == WAITING_FRAME) {
        traffic_on_timeout(s, c);
    } else {
        traffic_close(s, c);
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

/* What has arrived is still served; connections with nothing under way are closed. */
static void begin_drain(struct server *s)
{
    log_info("stopping: no new connections, finishing what is under way");
    on_accept(s);
    close_listener(s);
    epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->ports.signal_fd, NULL);
    s->drain_until_ms = s->now_ms + s->limits->drain_ms;
    /* Each once: those with more than a read brings go to the list's end. */
    const struct connection *last = s->lists[WAITING_REQUEST].last;
    for (const struct connection *done = NULL; done != last;) {
        done = s->lists[WAITING_REQUEST].first;
        traffic_on_event(s, s->lists[WAITING_REQUEST].first, EPOLLIN);
    }
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
            traffic_on_done(s);
        else if (what == &s->ports.signal_fd)
            begin_drain(s);
        else
            traffic_on_event(s, what, events[i].events);
    }
}

static void free_closed(struct server *s)
{
    for (struct connection *c = s->closed, *next; c != NULL; c = next) {
        next = c->next;
        connection_free(c);
    }
    s->closed = NULL;
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

/* Clients cannot have the descriptors that the way to KMS needs. */
static int64_t most_connections(const struct limits *limits)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur >= (rlim_t)limits->connections + OWN_DESCRIPTORS)
        return limits->connections;
    int64_t most = files.rlim_cur > OWN_DESCRIPTORS ? (int64_t)files.rlim_cur - OWN_DESCRIPTORS : 1;
    log_warning("limits.connections is %lld, but RLIMIT_NOFILE leaves room for %lld",
                (long long)limits->connections, (long long)most);
    return most;
}

static bool open_server(struct server *s, struct error *err)
{
    int on = 1;
    s->connections_max = most_connections(s->limits);
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
            traffic_close(s, s->lists[kind].first);
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
    workspace_init(&s.workspace, KEYRING_LOOP, limits);
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
