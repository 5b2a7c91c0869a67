/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclavectl relay: raw TCP between an enclave and the destinations that are allowed.
 *
 *     relay.c             options, start, end
 *     relay_loop.c        one thread, one epoll: listeners, signals, time limits
 *     relay_port.c        what epoll watches
 *     relay_connection.c  a connection's life: name, addresses, bytes, end
 *     relay_flow.c        the bytes of one direction, and their end
 *     relay_resolve.c     names, in threads of their own
 *     relay_allow.c       the list of destinations
 *     relay_allow_file.c  the same from a file
 *     relay_status.c      counts, the log of failures, the status address
 *     relay_query.c       what --query prints
 *
 * It uses plain buffers and not splice(2): AF_VSOCK has no splice, so one side would be copied in
 * any case, and two pipes for each connection would cost four descriptors. What is read goes out at
 * once from one buffer that all connections share. Only bytes that the other side does not accept
 * are kept, at most one read for each direction, and nothing more is read until they have gone out.
 * So an idle connection has no buffer.
 */
#ifndef HOST_RELAY_RELAY_H
#define HOST_RELAY_RELAY_H

#include "host/common.h"
#include "host/relay/relay_allow.h"
#include "host/relay/relay_resolve.h"
#include "sockets/any_address.h"

#define ROUTES_MAX          16
#define CIDS_MAX            32
#define RELAY_READ_SIZE     (64u << 10) /* bytes read at once, and kept at most for a direction */
#define LOOKUPS_A_ROUTE     2
#define ACCEPT_PAUSE_MS     100 /* if no descriptor is left, not even one to refuse a client with */
#define RELAY_CONNECTIONS   512 /* the default of --connections */
#define CONNECTIONS_CEILING 65536 /* and its maximum */

/* --- what is counted ------------------------------------------------------------------------- */

/* Why a connection was not served or did not end well: identifier, name in the status, text. */
#define RELAY_FAILURES(X)                                                \
    X(FAIL_NOT_ALLOWED, "not_allowed", "the destination is not allowed") \
    X(FAIL_CID, "cid", "this CID may not connect")                       \
    X(FAIL_TOO_MANY, "too_many", "all connections are taken")            \
    X(FAIL_DESCRIPTORS, "no_descriptors", "no descriptors or memory")    \
    X(FAIL_NAME, "name", "the name does not resolve")                    \
    X(FAIL_CONNECT, "connect", "the destination cannot be reached")      \
    X(FAIL_RESET, "reset", "one side broke the connection off")          \
    X(FAIL_IDLE, "idle", "nothing passed within the time limit")         \
    X(FAIL_CUT_OFF, "cut_off", "still open when the relay stopped")

enum relay_failure {
#define FAILURE_ENUM(id, name, text) id,
    RELAY_FAILURES(FAILURE_ENUM)
#undef FAILURE_ENUM
        FAILURES
};
#define FAILURES_REFUSED FAIL_NAME /* with those before it the client was refused at once */

/* Bounds the log: at most so many lines of one kind and route in so long. The rest is counted. */
#define LOG_LIMITER_LINES 5
#define LOG_LIMITER_MS    10000

struct log_limiter {
    int64_t until_ms; /* 0: nothing logged lately */
    unsigned logged;
    uint64_t withheld;
};

struct counts {
    uint64_t accepted; /* all that clients opened, including the refused ones */
    uint64_t complete; /* both directions ended, all bytes passed on */
    uint64_t left;     /* the client went first, but one side had ended properly */
    uint64_t failed[FAILURES];
    uint64_t bytes_up; /* to the destination */
    uint64_t bytes_down;
};

/* --- what is watched ------------------------------------------------------------------------- */

enum port_kind { PORT_LISTENER, PORT_STATUS, PORT_SIGNALS, PORT_ANSWERS, PORT_CLIENT, PORT_SERVER };

struct port {
    enum port_kind kind;
    int fd; /* -1: closed */
    bool watched;
    uint32_t events; /* for which epoll watches it */
    void *owner;     /* a route or a connection */
};

/* --- connections ----------------------------------------------------------------------------- */

struct flow {
    struct port *from;
    struct port *to;
    uint8_t *kept; /* owned: what was read and not yet sent; NULL: nothing */
    size_t start, end;
    bool ended;  /* from has ended, or failed */
    bool passed; /* the end was passed on; nothing more to do */
    bool dead;   /* to cannot be written to any more */
    bool broken; /* from failed: its end is not a proper one */
};

/* What a connection waits for. A kind has one time limit, so its list is in the order of time. */
enum waiting { WAITING_NAME, WAITING_CONNECT, WAITING_BYTES, WAITING_FLUSH, WAITING_KINDS };

struct route;

struct relay_connection {
    struct route *route;
    enum waiting waiting;
    int64_t until_ms;
    struct relay_connection *before, *next; /* in the list of what it waits for, or of the closed */
    struct port client, server;
    struct flow up, down;
    struct resolved addresses;
    size_t tried; /* of addresses */
    bool closed;
    char peer[64];
    char last_failure[200]; /* of the addresses tried */
};

struct connection_list {
    struct relay_connection *first, *last;
    int64_t limit_ms;
};

struct route {
    struct port listener;
    struct address listen;
    struct destination to;
    char to_text[DESTINATION_TEXT_SIZE];
    bool allowed; /* by the list in force */
    uint64_t open;
    uint64_t waiting_for_name; /* of the open ones: those that wait for the name */
    struct counts counts;
    struct log_limiter limiters[FAILURES];
    unsigned lookups;     /* under way */
    int64_t looked_up_ms; /* when the newest of them began */
};

/* --- the relay ------------------------------------------------------------------------------- */

struct relay_options {
    struct common common;
    const char *listens[ROUTES_MAX];
    const char *destinations[ROUTES_MAX];
    const char *allow[ALLOW_ENTRIES_MAX];
    uint32_t cids[CIDS_MAX];
    size_t listen_count, destination_count, allow_count, cid_count;
    const char *allow_file;
    const char *status;
    const char *query;
    int64_t connections;
    int64_t connect_seconds, idle_seconds, drain_seconds;
};

struct relay {
    const struct relay_options *options;
    struct route routes[ROUTES_MAX];
    size_t route_count;
    struct allow_list allow;
    struct resolver *resolver;
    struct port signals, answers, status;
    struct address status_address;
    int epoll_fd;
    int spare_fd;   /* a reserve, closed to refuse a client when no other is left */
    uint8_t *inbox; /* RELAY_READ_SIZE bytes */
    uint64_t open, most;
    struct connection_list lists[WAITING_KINDS];
    struct relay_connection *closed; /* freed at the end of the round */
    int64_t now_ms, started_ms;
    int64_t accept_again_ms; /* 0: accepting */
    int64_t drain_until_ms;  /* 0: not stopping */
    int64_t failed_us;       /* wall clock of the last failure; 0: none */
    char failed_text[512];
};

/* relay_port.c. Watches a port for events (epoll's); 0: for nothing, not even for errors. */
void port_watch(struct relay *relay, struct port *port, uint32_t events);
void port_close(struct port *port);
/* Closes so that the other side sees a reset, where its protocol has one. */
void port_reset(struct port *port);
/* Closes a listener and removes its socket file. */
void port_stop_listening(struct port *port, const struct address *address);

/* relay_loop.c: serves until a signal ends it and open connections have ended. ERROR_SYSTEM. */
MUST_USE bool relay_run(struct relay *relay, struct error *err);
/* relay_connection.c. Takes over fd; peer is for the log. */
void connection_start(struct relay *relay, struct route *route, int fd, const char *peer);
void connection_on_event(struct relay *relay, struct port *port, uint32_t events);
void connection_on_time(struct relay *relay, struct relay_connection *c);
/* Ends connections whose last bytes have arrived. Called repeatedly while any wait for that. */
void connection_check_flushed(struct relay *relay);
/* Begins a second lookup where one hangs; and when to do so next, in monotonic ms. */
void connection_check_lookups(struct relay *relay);
int64_t connection_next_lookup(const struct relay *relay);
/* A lookup has ended. */
void connection_on_answer(struct relay *relay, const struct resolver_answer *answer);
/* Ends it with a failure. */
void connection_cut(struct relay *relay, struct relay_connection *c, enum relay_failure why,
                    const char *cause);
/*
 * relay_flow.c: carries the bytes there are, at most a few reads, so that others get their turn.
 * *count grows by the bytes sent. False without memory. flow_is_over: nothing more can pass.
 */
MUST_USE bool flow_run(struct flow *flow, uint8_t *inbox, uint64_t *count);
bool flow_is_over(const struct flow *flow);
/* The events of a port that matter: from is the flow that reads from it, to the one that writes. */
uint32_t flow_events(const struct flow *from, const struct flow *to);

/* relay_status.c */
/* Counts a failure and, within bounds, logs it. The cause may be NULL. */
void relay_fail(struct relay *relay, struct route *route, enum relay_failure why, const char *peer,
                const char *cause);
/* Logs how many lines were withheld: where the time has come, or (now) everywhere. */
void relay_log_withheld(struct relay *relay, bool now);
int64_t relay_next_log(const struct relay *relay); /* in monotonic ms; INT64_MAX: none */
void relay_log_counts(const struct relay *relay);
void relay_answer_status(struct relay *relay); /* one client of the status address */

/* relay_query.c: asks a status address and prints the answer; returns the exit code. */
int relay_query(const struct relay_options *options);

#endif
