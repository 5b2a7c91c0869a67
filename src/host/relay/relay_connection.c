/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a connection: its destination's name, one address after the other, bytes, the end. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/sockios.h>

#include "host/relay/relay.h"

#define HEDGE_MS 1000 /* after this time a second lookup begins beside the first */

/* --- lists of those that wait ---------------------------------------------------------------- */

static void unlink_connection(struct relay *relay, struct relay_connection *c)
{
    struct connection_list *list = &relay->lists[c->waiting];
    *(c->before != NULL ? &c->before->next : &list->first) = c->next;
    *(c->next != NULL ? &c->next->before : &list->last) = c->before;
    c->route->waiting_for_name -= c->waiting == WAITING_NAME;
    c->before = c->next = NULL;
}

static void link_connection(struct relay *relay, struct relay_connection *c, enum waiting waiting)
{
    struct connection_list *list = &relay->lists[waiting];
    c->waiting = waiting;
    c->until_ms = relay->now_ms + list->limit_ms;
    c->before = list->last;
    c->next = NULL;
    *(list->last != NULL ? &list->last->next : &list->first) = c;
    list->last = c;
    c->route->waiting_for_name += waiting == WAITING_NAME;
}

static void wait_for(struct relay *relay, struct relay_connection *c, enum waiting waiting)
{
    unlink_connection(relay, c);
    link_connection(relay, c, waiting);
}

/* --- the end --------------------------------------------------------------------------------- */

/* The memory is freed at the end of the round: events that were already read may point to it. */
static void close_connection(struct relay *relay, struct relay_connection *c, bool hard)
{
    if (c->closed)
        return;
    unlink_connection(relay, c);
    if (hard) {
        port_reset(&c->client);
        port_reset(&c->server);
    }
    port_close(&c->client);
    port_close(&c->server);
    free(c->up.kept);
    free(c->down.kept);
    c->up.kept = c->down.kept = NULL;
    c->closed = true;
    c->next = relay->closed;
    relay->closed = c;
    relay->open--;
    c->route->open--;
}

void connection_cut(struct relay *relay, struct relay_connection *c, enum relay_failure why,
                    const char *cause)
{
    relay_fail(relay, c->route, why, c->peer, cause);
    close_connection(relay, c, true);
}

/* Whether all bytes sent to a side have arrived there, as far as its protocol reports that. */
static bool is_flushed(const struct port *port)
{
    int unsent = 0;
    return ioctl(port->fd, SIOCOUTQ, &unsent) != 0 || unsent == 0;
}

static bool has_server_failed(const struct relay_connection *c)
{
    return c->up.dead || c->down.broken;
}

static bool has_client_failed(const struct relay_connection *c)
{
    return c->down.dead || c->up.broken;
}

/*
 * TLS clients often leave in this way: once they have the answer they do not wait for the other
 * side's end, or they close without reading it, which is a reset, too.
 */
static void close_failed(struct relay *relay, struct relay_connection *c)
{
    if (!has_server_failed(c) && (c->up.passed || c->down.passed))
        c->route->counts.left++;
    else
        relay_fail(relay, c->route, FAIL_RESET, c->peer,
                   has_server_failed(c) ? "the destination broke the connection off"
                                        : "the client broke the connection off");
    close_connection(relay, c, true);
}

/*
 * One side failed, so the other is reset, too. But a reset would discard bytes that are still on
 * their way: these get a little time to arrive.
 */
static void pass_failure_on(struct relay *relay, struct relay_connection *c)
{
    bool server_failed = has_server_failed(c);
    struct port *rest = server_failed ? &c->client : &c->server;
    port_reset(server_failed ? &c->server : &c->client);
    if ((server_failed && has_client_failed(c)) || is_flushed(rest)) {
        close_failed(relay, c);
        return;
    }
    port_watch(relay, rest, 0);
    wait_for(relay, c, WAITING_FLUSH);
}

static void finish(struct relay *relay, struct relay_connection *c)
{
    if (has_server_failed(c) || has_client_failed(c)) {
        pass_failure_on(relay, c);
        return;
    }
    c->route->counts.complete++;
    close_connection(relay, c, false);
}

/* --- bytes ----------------------------------------------------------------------------------- */

/* If a side failed, nothing can be sent to it any more. What it sent before is still passed on. */
static void note_failures(struct relay_connection *c)
{
    if (c->down.broken)
        c->up.dead = true;
    if (c->up.broken)
        c->down.dead = true;
}

static void run_flows(struct relay *relay, struct relay_connection *c, bool up, bool down)
{
    struct counts *counts = &c->route->counts;
    uint64_t before = counts->bytes_up + counts->bytes_down;
    if ((up && !flow_run(&c->up, relay->inbox, &counts->bytes_up)) ||
        (down && !flow_run(&c->down, relay->inbox, &counts->bytes_down))) {
        connection_cut(relay, c, FAIL_DESCRIPTORS, "no memory for what waits to be sent");
        return;
    }
    note_failures(c);
    if (flow_is_over(&c->up) && flow_is_over(&c->down)) {
        finish(relay, c);
        return;
    }
    if (counts->bytes_up + counts->bytes_down != before)
        wait_for(relay, c, WAITING_BYTES);
    port_watch(relay, &c->client, flow_events(&c->up, &c->down));
    port_watch(relay, &c->server, flow_events(&c->down, &c->up));
}

static void begin_bytes(struct relay *relay, struct relay_connection *c)
{
    int on = 1;
    (void)setsockopt(c->server.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wait_for(relay, c, WAITING_BYTES);
    run_flows(relay, c, true, true);
}

/* --- addresses, one after the other ---------------------------------------------------------- */

static void note_failed_address(struct relay_connection *c, const char *why)
{
    char text[INET6_ADDRSTRLEN] = "";
    const struct sockaddr_storage *at = &c->addresses.at[c->tried - 1];
    const void *bytes = at->ss_family == AF_INET
                            ? (const void *)&((const struct sockaddr_in *)at)->sin_addr
                            : &((const struct sockaddr_in6 *)at)->sin6_addr;
    inet_ntop(at->ss_family, bytes, text, sizeof text);
    snprintf(c->last_failure, sizeof c->last_failure, "%s: %.120s", text, why);
}

/* Begins to connect to the next address. False if it failed at once. */
static bool try_address(struct relay *relay, struct relay_connection *c)
{
    const struct sockaddr *at = (const struct sockaddr *)&c->addresses.at[c->tried++];
    if (!allow_has_address(&relay->allow, &c->route->to, at)) {
        note_failed_address(c,
                            "an address of this machine or its link, which must be allowed itself");
        return false;
    }
    c->server.fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t len =
        at->sa_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
    if (c->server.fd >= 0 && (connect(c->server.fd, at, len) == 0 || errno == EINPROGRESS)) {
        wait_for(relay, c, WAITING_CONNECT);
        port_watch(relay, &c->server, EPOLLOUT);
        return true;
    }
    note_failed_address(c, strerror(errno));
    port_close(&c->server);
    return false;
}

static void try_next(struct relay *relay, struct relay_connection *c)
{
    while (c->tried < c->addresses.count)
        if (try_address(relay, c))
            return;
    char cause[320];
    int len = snprintf(cause, sizeof cause, "%s", c->last_failure);
    if (c->addresses.count > 1)
        snprintf(cause + len, sizeof cause - (size_t)len, " (the last of %zu addresses)",
                 c->addresses.count);
    connection_cut(relay, c, FAIL_CONNECT, cause);
}

static void on_connected(struct relay *relay, struct relay_connection *c)
{
    int result = 0;
    socklen_t len = sizeof result;
    if (getsockopt(c->server.fd, SOL_SOCKET, SO_ERROR, &result, &len) != 0)
        result = errno;
    if (result == 0) {
        begin_bytes(relay, c);
        return;
    }
    note_failed_address(c, strerror(result));
    port_close(&c->server);
    try_next(relay, c);
}

/* --- names ----------------------------------------------------------------------------------- */

/*
 * A connection that comes while a lookup runs waits for its answer, which is as new as that of a
 * lookup of its own. But a lookup may hang on a lost datagram: then another begins beside it.
 */
static void begin_lookup(struct relay *relay, struct route *route)
{
    bool needed = route->lookups == 0 || (route->lookups < LOOKUPS_A_ROUTE &&
                                          relay->now_ms - route->looked_up_ms >= HEDGE_MS);
    if (!needed ||
        !resolver_ask(relay->resolver, (size_t)(route - relay->routes), relay->now_ms, &route->to))
        return;
    route->lookups++;
    route->looked_up_ms = relay->now_ms;
}

void connection_on_answer(struct relay *relay, const struct resolver_answer *answer)
{
    struct route *route = &relay->routes[answer->asker];
    route->lookups--;
    if (!answer->found && route->lookups > 0)
        return; /* the other lookup may succeed */
    for (struct relay_connection *c = relay->lists[WAITING_NAME].first, *next; c != NULL;
         c = next) {
        next = c->next;
        if (c->route != route)
            continue;
        c->addresses = answer->resolved;
        int64_t came_ms = c->until_ms - relay->lists[WAITING_NAME].limit_ms;
        if (answer->found)
            try_next(relay, c);
        else if (came_ms - answer->begun_ms < HEDGE_MS)
            connection_cut(relay, c, FAIL_NAME, answer->cause);
    }
    connection_check_lookups(relay); /* for those who came too late to share this failure */
}

void connection_check_lookups(struct relay *relay)
{
    for (size_t i = 0; i < relay->route_count; i++)
        if (relay->routes[i].waiting_for_name > 0)
            begin_lookup(relay, &relay->routes[i]);
}

int64_t connection_next_lookup(const struct relay *relay)
{
    int64_t next = INT64_MAX;
    for (size_t i = 0; i < relay->route_count; i++) {
        const struct route *route = &relay->routes[i];
        if (route->waiting_for_name > 0 && route->lookups < LOOKUPS_A_ROUTE &&
            route->looked_up_ms + HEDGE_MS < next)
            next = route->looked_up_ms + HEDGE_MS;
    }
    return next;
}

/* --- the beginning --------------------------------------------------------------------------- */

void connection_start(struct relay *relay, struct route *route, int fd, const char *peer)
{
    struct relay_connection *c = calloc(1, sizeof *c);
    if (c == NULL) {
        struct port refused = {.fd = fd};
        relay_fail(relay, route, FAIL_DESCRIPTORS, peer, "no memory for a connection");
        port_reset(&refused);
        return;
    }
    c->route = route;
    c->client = (struct port){.kind = PORT_CLIENT, .fd = fd, .owner = c};
    c->server = (struct port){.kind = PORT_SERVER, .fd = -1, .owner = c};
    c->up = (struct flow){.from = &c->client, .to = &c->server};
    c->down = (struct flow){.from = &c->server, .to = &c->client};
    snprintf(c->peer, sizeof c->peer, "%s", peer);
    relay->open++;
    route->open++;
    link_connection(relay, c, WAITING_NAME);
    if (route->to.numeric) {
        resolve_numeric(&route->to, &c->addresses);
        try_next(relay, c);
    } else {
        begin_lookup(relay, route);
    }
}

void connection_on_event(struct relay *relay, struct port *port, uint32_t events)
{
    struct relay_connection *c = port->owner;
    bool from = (events & ~(uint32_t)EPOLLOUT) != 0; /* an error shows in reading or writing */
    bool to = (events & ~(uint32_t)EPOLLIN) != 0;
    bool client = port->kind == PORT_CLIENT;
    if (c->closed)
        return;
    if (c->waiting == WAITING_CONNECT && !client)
        on_connected(relay, c);
    else if (c->waiting == WAITING_BYTES)
        run_flows(relay, c, client ? from : to, client ? to : from);
}

void connection_check_flushed(struct relay *relay)
{
    struct relay_connection *c = relay->lists[WAITING_FLUSH].first;
    for (struct relay_connection *next; c != NULL; c = next) {
        next = c->next;
        if (is_flushed(c->client.fd >= 0 ? &c->client : &c->server))
            close_failed(relay, c);
    }
}

void connection_on_time(struct relay *relay, struct relay_connection *c)
{
    char cause[80];
    int64_t seconds = relay->lists[c->waiting].limit_ms / 1000;
    switch (c->waiting) {
    case WAITING_NAME:
        snprintf(cause, sizeof cause, "no answer within %lld s", (long long)seconds);
        connection_cut(relay, c, FAIL_NAME, cause);
        break;
    case WAITING_CONNECT:
        snprintf(cause, sizeof cause, "no answer within %lld s", (long long)seconds);
        note_failed_address(c, cause);
        port_close(&c->server);
        try_next(relay, c);
        break;
    case WAITING_BYTES:
        connection_cut(relay, c, FAIL_IDLE, NULL);
        break;
    default: /* the last bytes did not arrive in time */
        close_failed(relay, c);
    }
}
