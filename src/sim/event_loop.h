/* SPDX-License-Identifier: Apache-2.0 */
/* One thread that waits for many descriptors, by epoll. Sources may be removed at any time. */
#ifndef SIM_EVENT_LOOP_H
#define SIM_EVENT_LOOP_H

#include <sys/epoll.h>

#include "base/error.h"

#define EVENT_BATCH 64

/* A descriptor to wait for. It is part of its owner, who removes it before freeing it. */
struct event_source {
    int fd;
    void (*ready)(struct event_source *source, uint32_t events); /* events: EPOLL… */
};

struct event_loop {
    int fd;
    int count; /* events of the current turn */
    struct epoll_event batch[EVENT_BATCH];
};

MUST_USE bool event_loop_init(struct event_loop *loop, struct error *err);
void event_loop_clear(struct event_loop *loop);

/* Waits for events (EPOLLIN, …, EPOLLET) of source->fd. ERROR_SYSTEM. */
MUST_USE bool event_add(struct event_loop *loop, struct event_source *source, uint32_t events,
                        struct error *err);

/* Also drops the events of source in the current turn, so that it may be freed afterwards. */
void event_remove(struct event_loop *loop, struct event_source *source);

/* Waits up to timeout_ms (-1: for ever) and calls each source that is ready once. EINTR is no
 * error.
 */
MUST_USE bool event_loop_turn(struct event_loop *loop, int timeout_ms, struct error *err);

#endif
