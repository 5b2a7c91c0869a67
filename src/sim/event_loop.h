/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that waits for many descriptors: epoll, and sources that may go away at any time. */
#ifndef SIM_EVENT_LOOP_H
#define SIM_EVENT_LOOP_H

#include <sys/epoll.h>

#include "base/error.h"

#define EVENT_BATCH 64

/* What is waited for; it lives in its owner, who removes it before it goes. */
struct event_source {
    int fd;
    void (*ready)(struct event_source *source, uint32_t events); /* events: EPOLL… */
};

struct event_loop {
    int fd;
    int count; /* of the events of this turn */
    struct epoll_event batch[EVENT_BATCH];
};

MUST_USE bool event_loop_init(struct event_loop *loop, struct error *err);
void event_loop_clear(struct event_loop *loop);

/* Waits for events (EPOLLIN, …; EPOLLET as the caller likes) of source->fd. ERROR_SYSTEM. */
MUST_USE bool event_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                        struct error *err);

/* Also takes back what this turn has still to deliver: source may be freed afterwards. */
void event_remove(struct event_loop *loop, struct event_source *source);

/* Waits up to timeout_ms (-1: for ever) and calls whoever is ready, each once. EINTR is survived.
 */
MUST_USE bool event_loop_turn(struct event_loop *loop, int timeout_ms, struct error *err);

#endif
