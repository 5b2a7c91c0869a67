/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Resolves names without blocking the caller. getaddrinfo has no time limit and cannot be
 * cancelled, so it runs in threads of its own, one for each lookup that can run at once. A lookup
 * that hangs blocks its thread and nothing else.
 */
#ifndef HOST_RELAY_RELAY_RESOLVE_H
#define HOST_RELAY_RELAY_RESOLVE_H

#include <sys/socket.h>

#include "host/relay/relay_allow.h"

#define RESOLVED_MAX 8 /* addresses kept of one name, in the order of getaddrinfo */

struct resolved {
    size_t count;
    struct sockaddr_storage at[RESOLVED_MAX]; /* AF_INET or AF_INET6, the port set */
};

struct resolver_answer {
    int64_t begun_ms; /* as given to resolver_ask */
    size_t asker;     /* as given to resolver_ask */
    bool found;       /* resolved.count > 0 */
    char cause[160];  /* if nothing was found: why */
    struct resolved resolved;
};

struct resolver;

/* lookups: how many can run at once, at least 1. Threads block all signals. NULL with *err. */
struct resolver *resolver_new(size_t lookups, struct error *err);

/* Ends the threads. If one hangs in a lookup, the threads and their memory stay until the process
 * ends. */
void resolver_free(struct resolver *resolver);

/* An eventfd: readable once answers have come since resolver_take last returned false. */
int resolver_fd(const struct resolver *resolver);

/* Begins a lookup. The answer repeats asker and the time. False if all threads are busy. */
MUST_USE bool resolver_ask(struct resolver *resolver, size_t asker, int64_t now_ms,
                           const struct destination *to);

/* Takes one answer. False if none has come. */
MUST_USE bool resolver_take(struct resolver *resolver, struct resolver_answer *out);

/* Sets the address of a numeric destination, which needs no lookup. */
void resolve_numeric(const struct destination *to, struct resolved *out);

#endif
