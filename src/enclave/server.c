/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/server.h"

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
#include "enclave/request.h"
#include "enclave/room.h"
#include "enclave/session.h"
#include "enclave/traffic.h"

#define EVENTS_A_ROUND  128
#define ACCEPTS_A_ROUND 16  /* few: who comes is served before as many again can displace it */
#define ACCEPT_PAUSE_MS 100 /* after running out of descriptors or memory */
/* Kept from clients: for KMS, the NSM, files, and the refusal of clients. */
#define OWN_DESCRIPTORS 32

struct server {
    struct traffic traffic;
    struct server_ports ports;
    int64_t
        connections_max; /* limits->connections, or less where memory or descriptors are short */
    int64_t accept_again_ms; /* INT64_MAX: the listener is watched, or closed */
    int64_t drain_until_ms;  /* INT64_MAX: not stopping */
};

/* --- accepting ------------------------------------------------------------------------------- */

static void watch_listener(struct server *s, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0, .data.ptr = &s->ports.listener};
    (void)epoll_ctl(s->traffic.epoll_fd, EPOLL_CTL_MOD, s->ports.listener, &event);
    s->accept_again_ms = on ? INT64_MAX : s->traffic.now_ms + ACCEPT_PAUSE_MS;
}

/* Whether the peer is one that may not even be answered: over vsock, not the parent instance. */
static bool is_refused_peer(const struct server *s, const struct sockaddr_storage *peer)
{
    const struct sockaddr_vm *vm = (const struct sockaddr_vm *)peer;
    return peer->ss_family == AF_VSOCK && s->ports.peer_cid != VMADDR_CID_ANY &&
           vm->svm_cid != s->ports.peer_cid;
}

static void take_client(struct server *s, int fd, const struct sockaddr_storage *peer)
{
    if (is_refused_peer(s, peer)) {
        close(fd);
        traffic_count(&s->traffic, END_PEER);
    } else if ((int64_t)atomic_load(&s->traffic.service->connections) < s->connections_max ||
               traffic_displace(&s->traffic)) {
        traffic_admit(&s->traffic, fd);
    } else {
        traffic_refuse(&s->traffic, fd);
    }
}

static void on_accept(struct server *s)
{
    for (int i = 0; i < ACCEPTS_A_ROUND && s->ports.listener >= 0; i++) {
        struct sockaddr_storage peer = {0};
        socklen_t peer_len = sizeof peer;
        int fd = accept4(s->ports.listener, (struct sockaddr *)&peer, &peer_len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            take_client(s, fd, &peer);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            log_warning("cannot accept: %s; trying again in %d ms", strerror(errno),
                        ACCEPT_PAUSE_MS);
            watch_listener(s, false);
            return;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return;
        } /* else that one connection failed before it was taken */
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static void check_limits(struct server *s)
{
    struct traffic *t = &s->traffic;
    for (size_t state = 0; state < STATE_COUNT; state++)
        for (struct connection *c;
             (c = TAILQ_FIRST(&t->lists[state].connections)) != NULL && c->until_ms <= t->now_ms;)
            traffic_on_event(t, c, EVENT_TIMEOUT);
    if (s->accept_again_ms <= t->now_ms)
        watch_listener(s, true);
}

static int next_wake(const struct server *s)
{
    int64_t next = keyring_expire(s->traffic.service->ring);
    if (s->accept_again_ms < next)
        next = s->accept_again_ms;
    if (s->drain_until_ms < next)
        next = s->drain_until_ms;
    if (traffic_is_ready(&s->traffic))
        return 0;
    for (size_t state = 0; state < STATE_COUNT; state++) {
        const struct connection *first = TAILQ_FIRST(&s->traffic.lists[state].connections);
        if (first != NULL && first->until_ms < next)
            next = first->until_ms;
    }
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - s->traffic.now_ms;
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* --- start, rounds, stop --------------------------------------------------------------------- */

static void close_listener(struct server *s)
{
    if (s->ports.listener >= 0)
        close(s->ports.listener);
    s->ports.listener = -1;
    s->accept_again_ms = INT64_MAX;
}

/* What has arrived is still served; connections with nothing under way are closed. */
static void begin_drain(struct server *s)
{
    struct traffic *t = &s->traffic;
    log_info("stopping: no new connections, finishing what is under way");
    on_accept(s);
    close_listener(s);
    epoll_ctl(t->epoll_fd, EPOLL_CTL_DEL, s->ports.signal_fd, NULL);
    s->drain_until_ms = t->now_ms + t->limits->drain_ms;
    t->stopping = true;
    /* Each once: those with more than a read brings go to the list's end. */
    struct connection_head *idle = &t->lists[STATE_IDLE].connections;
    const struct connection *last = TAILQ_LAST(idle, connection_head);
    for (struct connection *c = NULL; c != last;) {
        c = TAILQ_FIRST(idle);
        traffic_on_event(t, c, EVENT_READABLE);
    }
}

static bool is_drained(const struct server *s)
{
    return s->traffic.stopping && (s->drain_until_ms <= s->traffic.now_ms ||
                                   atomic_load(&s->traffic.service->connections) == 0);
}

/* Input first: the end of a connection arrives with the last bytes before it. */
static enum event event_of(uint32_t events)
{
    if ((events & EPOLLIN) != 0)
        return EVENT_READABLE;
    return (events & (EPOLLERR | EPOLLHUP)) != 0 ? EVENT_HANGUP : EVENT_WRITABLE;
}

static void on_done(struct server *s)
{
    uint64_t count;
    ssize_t n = read(s->ports.done_fd, &count, sizeof count);
    (void)n;
    traffic_on_done(&s->traffic, job_take_all(s->ports.done));
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
            traffic_on_event(&s->traffic, what, event_of(events[i].events));
    }
}

static bool serve_until_stopped(struct server *s, struct error *err)
{
    struct epoll_event events[EVENTS_A_ROUND];
    s->traffic.now_ms = clock_monotonic_ms();
    while (!is_drained(s)) {
        int count = epoll_wait(s->traffic.epoll_fd, events, EVENTS_A_ROUND, next_wake(s));
        if (count < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_SYSTEM, "epoll_wait");
        int64_t began_us = clock_monotonic_us();
        s->traffic.now_ms = began_us / 1000;
        round_of_events(s, events, count);
        traffic_take_turns(&s->traffic, began_us);
        check_limits(s);
        traffic_free_closed(&s->traffic);
    }
    return true;
}

static bool add_port(struct server *s, int *fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = fd};
    return epoll_ctl(s->traffic.epoll_fd, EPOLL_CTL_ADD, *fd, &event) == 0;
}

/* Clients cannot have the memory that the service needs, nor the descriptors for its way to KMS. */
static int64_t most_connections(const struct limits *limits)
{
    int64_t most = limits->connections, by_memory = room_connections(room_memory());
    struct rlimit files;
    if (by_memory < most) {
        log_info("limits.connections is %lld, but the memory of %llu MiB has room for %lld",
                 (long long)most, (unsigned long long)room_memory() >> 20, (long long)by_memory);
        most = by_memory;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur == RLIM_INFINITY ||
        files.rlim_cur >= (rlim_t)most + OWN_DESCRIPTORS)
        return most;
    int64_t by_files =
        files.rlim_cur > OWN_DESCRIPTORS ? (int64_t)files.rlim_cur - OWN_DESCRIPTORS : 1;
    log_warning("limits.connections is %lld, but RLIMIT_NOFILE leaves room for %lld",
                (long long)limits->connections, (long long)by_files);
    return by_files;
}

static bool open_server(struct server *s, struct service *service, struct error *err)
{
    int on = 1;
    if (!traffic_init(&s->traffic, service, epoll_create1(EPOLL_CLOEXEC), err))
        return false;
    s->connections_max = most_connections(s->traffic.limits);
    /* Accepted sockets inherit it; on anything but TCP it fails and does not matter. */
    (void)setsockopt(s->ports.listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (s->traffic.epoll_fd < 0 || !add_port(s, &s->ports.listener) ||
        !add_port(s, &s->ports.done_fd) || !add_port(s, &s->ports.signal_fd))
        return error_set_errno(err, ERROR_SYSTEM, "epoll");
    s->traffic.worker = worker_start(service, s->ports.done, err);
    return s->traffic.worker != NULL;
}

/* All that is still open is closed, and jobs that come back too late find nobody. */
static void close_server(struct server *s)
{
    worker_stop(s->traffic.worker);
    session_stop(s->traffic.service->session);
    job_queue_clear(s->ports.done);
    close_listener(s);
    traffic_clear(&s->traffic);
    if (s->traffic.epoll_fd >= 0)
        close(s->traffic.epoll_fd);
}

bool server_run(struct service *service, const struct server_ports *ports, struct error *err)
{
    struct server s = {.ports = *ports, .accept_again_ms = INT64_MAX, .drain_until_ms = INT64_MAX};
    bool ok = open_server(&s, service, err) && serve_until_stopped(&s, err);
    close_server(&s);
    return ok;
}
