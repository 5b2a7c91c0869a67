/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names to addresses without holding up the caller: getaddrinfo knows no time limit and no way to
 * be called off, so it runs in threads of its own, as many as there can be lookups at once. A
 * lookup that hangs keeps its thread and nothing else.
 */
#ifndef HOST_RELAY_RELAY_RESOLVE_H
#define HOST_RELAY_RELAY_RESOLVE_H

#include <sys/socket.h>

#include "host/relay/relay_allow.h"

#define RESOLVED_MAX 8 /* addresses of one name that are kept, in the order of getaddrinfo */

struct resolved {
    size_t count;
    struct sockaddr_storage at[RESOLVED_MAX]; /* AF_INET or AF_INET6, the port set */
};

struct resolver_answer {
    int64_t begun_ms; /* as given to resolver_ask */
    size_t asker;     /* as given to resolver_ask */
    bool found;       /* resolved.count > 0 */
    char cause[160];  /* where nothing was found: why */
    struct resolved resolved;
};

struct resolver;

/* lookups: how many can run at once, at least 1. Threads block all signals. NULL with *err. */
struct resolver *resolver_new(size_t lookups, struct error *err);

/* Ends the threads. One that hangs in a lookup is left alone, with its memory, to the process's
 * end. */
void resolver_free(struct resolver *resolver);

/* Readable (an eventfd) once answers have come since resolver_take last said that there is none. */
int resolver_fd(const struct resolver *resolver);

/* Begins a lookup; asker and the time come back in the answer. False if all threads are busy. */
MUST_USE bool resolver_ask(struct resolver *resolver, size_t asker, int64_t now_ms,
                           const struct destination *to);

/* Takes one answer. False if there is none. */
MUST_USE bool resolver_take(struct resolver *resolver, struct resolver_answer *out);

/* An address in numbers needs no lookup. */
void resolve_numeric(const struct destination *to, struct resolved *out);

#endif
