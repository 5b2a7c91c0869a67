/* SPDX-License-Identifier: Apache-2.0 */
/* The one thread of all connections: events and time limits. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#include "base/clock.h"
#include "base/log.h"
#include "host/notify.h"
#include "host/relay/relay.h"

#define EVENTS_A_ROUND  64
#define ACCEPTS_A_ROUND 64
#define FLUSH_LOOK_MS   20 /* between looks at connections that wait for their last bytes */

/* --- accepting ------------------------------------------------------------------------------- */

static void describe_peer(const struct sockaddr_storage *from, char out[64])
{
    char host[INET6_ADDRSTRLEN] = "";
    if (from->ss_family == AF_VSOCK) {
        snprintf(out, 64, "CID %u", ((const struct sockaddr_vm *)from)->svm_cid);
    } else if (from->ss_family == AF_INET) {
        inet_ntop(AF_INET, &((const struct sockaddr_in *)from)->sin_addr, host, sizeof host);
        snprintf(out, 64, "%s", host);
    } else if (from->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)from)->sin6_addr, host, sizeof host);
        snprintf(out, 64, "%s", host);
    } else {
        snprintf(out, 64, "a local process");
    }
}

static bool may_connect(const struct relay *relay, const struct sockaddr_storage *from)
{
    const struct relay_options *options = relay->options;
    bool allowed = options->cid_count == 0 || from->ss_family != AF_VSOCK;
    for (size_t i = 0; i < options->cid_count && !allowed; i++)
        allowed = options->cids[i] == ((const struct sockaddr_vm *)from)->svm_cid;
    return allowed;
}

static void admit(struct relay *relay, struct route *route, int fd,
                  const struct sockaddr_storage *from)
{
    struct port refused = {.fd = fd};
    char peer[64];
    describe_peer(from, peer);
    if (!may_connect(relay, from))
        relay_fail(relay, route, FAIL_CID, peer, NULL);
    else if (!route->allowed)
        relay_fail(relay, route, FAIL_NOT_ALLOWED, peer, NULL);
    else if (relay->open >= relay->most)
        relay_fail(relay, route, FAIL_TOO_MANY, peer, NULL);
    else {
        connection_start(relay, route, fd, peer);
        return;
    }
    port_reset(&refused);
}

static void watch_listeners(struct relay *relay, bool on)
{
    for (size_t i = 0; i < relay->route_count; i++)
        port_watch(relay, &relay->routes[i].listener, on ? EPOLLIN : 0);
    port_watch(relay, &relay->status, on ? EPOLLIN : 0);
    relay->accept_again_ms = on ? 0 : relay->now_ms + ACCEPT_PAUSE_MS;
}

/*
 * No descriptor is left. A client that is not accepted would wait until its time limit. So one
 * descriptor is kept in reserve, with which clients are accepted and refused.
 */
static void refuse_with_spare(struct relay *relay, struct route *route, int why)
{
    if (relay->spare_fd >= 0)
        close(relay->spare_fd);
    struct port refused = {.fd = accept4(route->listener.fd, NULL, NULL, SOCK_CLOEXEC)};
    if (refused.fd >= 0) {
        route->counts.accepted++;
        relay_fail(relay, route, FAIL_DESCRIPTORS, "a client", strerror(why));
    }
    bool done = refused.fd >= 0;
    port_reset(&refused);
    relay->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!done)
        watch_listeners(relay, false);
}

static void on_accept(struct relay *relay, struct route *route)
{
    for (int i = 0; i < ACCEPTS_A_ROUND && route->listener.fd >= 0; i++) {
        struct sockaddr_storage from = {0};
        socklen_t len = sizeof from;
        int fd = accept4(route->listener.fd, (struct sockaddr *)&from, &len,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            route->counts.accepted++;
            admit(relay, route, fd, &from);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            refuse_with_spare(relay, route, errno);
            return;
        }
        if (errno == EAGAIN || errno == EWOULDBLOCK)
            return;
    }
}

/* --- signals --------------------------------------------------------------------------------- */

static void apply_list(struct relay *relay)
{
    for (size_t i = 0; i < relay->route_count; i++) {
        struct route *route = &relay->routes[i];
        bool allowed = allow_has(&relay->allow, &route->to);
        if (allowed != route->allowed)
            log_warning("%s is %s now%s", route->to_text, allowed ? "allowed" : "not allowed",
                        allowed ? "" : "; open connections are not cut off");
        route->allowed = allowed;
    }
}

static void reload(struct relay *relay)
{
    const struct relay_options *from = relay->options;
    struct allow_list next;
    struct error err = {0};
    char status[128];
    notify_reloading();
    if (allow_read(&next, from->allow_file, from->allow, from->allow_count, &err)) {
        allow_clear(&relay->allow);
        relay->allow = next;
        snprintf(status, sizeof status, "list read again: %zu destinations", next.count);
        log_info("%s", status);
        apply_list(relay);
    } else {
        snprintf(status, sizeof status, "the list could not be read again; the old one stays");
        log_error("%s: %s", status, err.cause);
    }
    notify_ready(status);
}

static void stop_listening(struct relay *relay)
{
    for (size_t i = 0; i < relay->route_count; i++)
        port_stop_listening(&relay->routes[i].listener, &relay->routes[i].listen);
    relay->accept_again_ms = 0;
}

/* Clients that have connected already are still served. */
static void begin_drain(struct relay *relay)
{
    if (relay->drain_until_ms != 0) {
        relay->drain_until_ms = relay->now_ms;
        return;
    }
    notify_stopping();
    for (size_t i = 0; i < relay->route_count; i++)
        on_accept(relay, &relay->routes[i]);
    stop_listening(relay);
    relay->drain_until_ms = relay->now_ms + relay->options->drain_seconds * 1000;
    log_info("stopping: no new connections, %llu open ones may end within %lld s",
             (unsigned long long)relay->open, (long long)relay->options->drain_seconds);
}

static void on_signal(struct relay *relay)
{
    struct signalfd_siginfo info;
    while (read(relay->signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGHUP && relay->drain_until_ms == 0)
            reload(relay);
        else if (info.ssi_signo == SIGUSR1)
            relay_log_counts(relay);
        else if (info.ssi_signo != SIGHUP)
            begin_drain(relay);
    }
}

/* --- time ------------------------------------------------------------------------------------ */

static void check_limits(struct relay *relay)
{
    for (size_t kind = 0; kind < WAITING_KINDS; kind++) {
        struct relay_connection *c;
        while ((c = relay->lists[kind].first) != NULL && c->until_ms <= relay->now_ms)
            connection_on_time(relay, c);
    }
    connection_check_flushed(relay);
    connection_check_lookups(relay);
    if (relay->accept_again_ms != 0 && relay->accept_again_ms <= relay->now_ms)
        watch_listeners(relay, true);
    relay_log_withheld(relay, false);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* When something is to be done even if nothing happens; INT64_MAX: never. */
static int64_t next_deadline(const struct relay *relay)
{
    int64_t next = earlier(relay_next_log(relay), connection_next_lookup(relay));
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        if (relay->lists[kind].first != NULL)
            next = earlier(next, relay->lists[kind].first->until_ms);
    if (relay->lists[WAITING_FLUSH].first != NULL)
        next = earlier(next, relay->now_ms + FLUSH_LOOK_MS);
    if (relay->accept_again_ms != 0)
        next = earlier(next, relay->accept_again_ms);
    if (relay->drain_until_ms != 0)
        next = earlier(next, relay->drain_until_ms);
    return next;
}

/* The time limit for epoll_wait. */
static int next_wake(const struct relay *relay)
{
    int64_t next = next_deadline(relay);
    if (next == INT64_MAX)
        return -1;
    int64_t left = next - clock_monotonic_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* --- rounds ---------------------------------------------------------------------------------- */

static void take_answers(struct relay *relay)
{
    struct resolver_answer answer;
    while (resolver_take(relay->resolver, &answer))
        connection_on_answer(relay, &answer);
}

static void round_of_events(struct relay *relay, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        struct port *port = events[i].data.ptr;
        switch (port->kind) {
        case PORT_LISTENER:
            on_accept(relay, port->owner);
            break;
        case PORT_STATUS:
            relay_answer_status(relay);
            break;
        case PORT_SIGNALS:
            on_signal(relay);
            break;
        case PORT_ANSWERS:
            take_answers(relay);
            break;
        case PORT_CLIENT:
        case PORT_SERVER:
            connection_on_event(relay, port, events[i].events);
        }
    }
}

static void free_closed(struct relay *relay)
{
    for (struct relay_connection *c = relay->closed, *next; c != NULL; c = next) {
        next = c->next;
        free(c);
    }
    relay->closed = NULL;
}

/* Nothing is open any more, or the time for it has run out. */
static bool is_drained(const struct relay *relay)
{
    return relay->drain_until_ms != 0 &&
           (relay->open == 0 || relay->drain_until_ms <= relay->now_ms);
}

static void cut_off_the_rest(struct relay *relay)
{
    if (relay->open > 0)
        log_warning("%llu connections were still open and are cut off",
                    (unsigned long long)relay->open);
    for (size_t kind = 0; kind < WAITING_KINDS; kind++)
        while (relay->lists[kind].first != NULL)
            connection_cut(relay, relay->lists[kind].first, FAIL_CUT_OFF, NULL);
    free_closed(relay);
}

bool relay_run(struct relay *relay, struct error *err)
{
    struct epoll_event events[EVENTS_A_ROUND];
    bool ok = true;
    watch_listeners(relay, true);
    port_watch(relay, &relay->signals, EPOLLIN);
    port_watch(relay, &relay->answers, EPOLLIN);
    while (ok && !is_drained(relay)) {
        int count = epoll_wait(relay->epoll_fd, events, EVENTS_A_ROUND, next_wake(relay));
        if (count < 0 && errno != EINTR)
            ok = error_set_errno(err, ERROR_SYSTEM, "epoll_wait");
        relay->now_ms = clock_monotonic_ms();
        round_of_events(relay, events, count);
        check_limits(relay);
        free_closed(relay);
    }
    cut_off_the_rest(relay);
    relay_log_withheld(relay, true);
    return ok;
}
