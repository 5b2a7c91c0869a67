/* SPDX-License-Identifier: Apache-2.0 */
#include "host/relay/relay_resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define STACK_SIZE (512u << 10) /* bytes; plug-ins of the name service may need much of it */

enum stage { STAGE_FREE, STAGE_ASKED, STAGE_RUNNING, STAGE_DONE, STAGE_ENDED };

struct lookup {
    struct resolver *resolver;
    pthread_t thread;
    enum stage stage; /* under the resolver's lock */
    struct destination to;
    struct resolver_answer answer;
};

struct resolver {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool stopping;
    int fd;
    size_t count;
    struct lookup lookups[];
};

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    if (address->ss_family == AF_INET)
        ((struct sockaddr_in *)address)->sin_port = htons(port);
    else
        ((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

static void look_up(const struct destination *to, struct resolver_answer *out)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    int result = getaddrinfo(to->host, NULL, &hints, &found);
    int saved = errno;
    out->resolved.count = 0;
    for (const struct addrinfo *at = found; result == 0 && at != NULL; at = at->ai_next) {
        if ((at->ai_family != AF_INET && at->ai_family != AF_INET6) ||
            out->resolved.count == RESOLVED_MAX)
            continue;
        struct sockaddr_storage *address = &out->resolved.at[out->resolved.count++];
        memset(address, 0, sizeof *address);
        memcpy(address, at->ai_addr, at->ai_addrlen);
        set_port(address, to->port);
    }
    if (found != NULL)
        freeaddrinfo(found);
    out->found = out->resolved.count > 0;
    if (out->found)
        return;
    const char *why = result == 0            ? "it has no address"
                      : result == EAI_SYSTEM ? strerror(saved)
                                             : gai_strerror(result);
    snprintf(out->cause, sizeof out->cause, "%s", why);
}

static void *run(void *argument)
{
    struct lookup *lookup = argument;
    struct resolver *resolver = lookup->resolver;
    pthread_mutex_lock(&resolver->lock);
    while (!resolver->stopping) {
        if (lookup->stage != STAGE_ASKED) {
            pthread_cond_wait(&resolver->changed, &resolver->lock);
            continue;
        }
        lookup->stage = STAGE_RUNNING;
        pthread_mutex_unlock(&resolver->lock);
        look_up(&lookup->to, &lookup->answer);
        pthread_mutex_lock(&resolver->lock);
        lookup->stage = STAGE_DONE;
        (void)eventfd_write(resolver->fd, 1);
    }
    lookup->stage = STAGE_ENDED;
    pthread_mutex_unlock(&resolver->lock);
    return NULL;
}

static bool start_threads(struct resolver *resolver, size_t lookups)
{
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes) != 0)
        return false;
    bool ok = pthread_attr_setstacksize(&attributes, STACK_SIZE) == 0;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    for (; ok && resolver->count < lookups; resolver->count += ok) {
        struct lookup *lookup = &resolver->lookups[resolver->count];
        lookup->resolver = resolver;
        ok = pthread_create(&lookup->thread, &attributes, run, lookup) == 0;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return ok;
}

struct resolver *resolver_new(size_t lookups, struct error *err)
{
    struct resolver *resolver = calloc(1, sizeof *resolver + lookups * sizeof resolver->lookups[0]);
    if (resolver == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for the resolver");
        return NULL;
    }
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->changed, NULL);
    resolver->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->fd >= 0 && start_threads(resolver, lookups))
        return resolver;
    error_set(err, ERROR_SYSTEM, "the threads that resolve names cannot be started");
    resolver_free(resolver);
    return NULL;
}

void resolver_free(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    bool hanging = false;
    pthread_mutex_lock(&resolver->lock);
    resolver->stopping = true;
    pthread_cond_broadcast(&resolver->changed);
    for (size_t i = 0; i < resolver->count; i++)
        hanging = hanging || resolver->lookups[i].stage == STAGE_RUNNING;
    pthread_mutex_unlock(&resolver->lock);
    if (hanging) {
        for (size_t i = 0; i < resolver->count; i++)
            pthread_detach(resolver->lookups[i].thread);
        return;
    }
    for (size_t i = 0; i < resolver->count; i++)
        pthread_join(resolver->lookups[i].thread, NULL);
    if (resolver->fd >= 0)
        close(resolver->fd);
    pthread_cond_destroy(&resolver->changed);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

int resolver_fd(const struct resolver *resolver)
{
    return resolver->fd;
}

bool resolver_ask(struct resolver *resolver, size_t asker, int64_t now_ms,
                  const struct destination *to)
{
    bool asked = false;
    pthread_mutex_lock(&resolver->lock);
    for (size_t i = 0; i < resolver->count && !asked; i++) {
        struct lookup *lookup = &resolver->lookups[i];
        if (lookup->stage != STAGE_FREE)
            continue;
        lookup->to = *to;
        lookup->answer.asker = asker;
        lookup->answer.begun_ms = now_ms;
        lookup->stage = STAGE_ASKED;
        asked = true;
    }
    if (asked)
        pthread_cond_broadcast(&resolver->changed);
    pthread_mutex_unlock(&resolver->lock);
    return asked;
}

bool resolver_take(struct resolver *resolver, struct resolver_answer *out)
{
    bool taken = false;
    eventfd_t count;
    pthread_mutex_lock(&resolver->lock);
    for (size_t i = 0; i < resolver->count && !taken; i++) {
        struct lookup *lookup = &resolver->lookups[i];
        if (lookup->stage != STAGE_DONE)
            continue;
        *out = lookup->answer;
        lookup->stage = STAGE_FREE;
        taken = true;
    }
    if (!taken)
        (void)eventfd_read(resolver->fd, &count);
    pthread_mutex_unlock(&resolver->lock);
    return taken;
}

void resolve_numeric(const struct destination *to, struct resolved *out)
{
    memset(out, 0, sizeof *out);
    struct sockaddr_in *in4 = (struct sockaddr_in *)&out->at[0];
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&out->at[0];
    if (inet_pton(AF_INET, to->host, &in4->sin_addr) == 1)
        out->at[0].ss_family = AF_INET;
    else if (inet_pton(AF_INET6, to->host, &in6->sin6_addr) == 1)
        out->at[0].ss_family = AF_INET6;
    set_port(&out->at[0], to->port);
    out->count = 1;
}
