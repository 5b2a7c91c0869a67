/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/event_loop.h"

#include <errno.h>
#include <unistd.h>

bool event_loop_init(struct event_loop *loop, struct error *err)
{
    loop->count = 0;
    loop->fd = epoll_create1(EPOLL_CLOEXEC);
    return loop->fd >= 0 || error_set_errno(err, ERROR_SYSTEM, "epoll_create1");
}

void event_loop_clear(struct event_loop *loop)
{
    if (loop->fd >= 0)
        close(loop->fd);
    loop->fd = -1;
}

bool event_add(struct event_loop *loop, struct event_source *source, uint32_t events,
               struct error *err)
{
    struct epoll_event event = {.events = events, .data.ptr = source};
    return epoll_ctl(loop->fd, EPOLL_CTL_ADD, source->fd, &event) == 0 ||
           error_set_errno(err, ERROR_SYSTEM, "epoll_ctl");
}

void event_remove(struct event_loop *loop, struct event_source *source)
{
    (void)epoll_ctl(loop->fd, EPOLL_CTL_DEL, source->fd, NULL);
    for (int i = 0; i < loop->count; i++)
        if (loop->batch[i].data.ptr == source)
            loop->batch[i].data.ptr = NULL;
}

bool event_loop_turn(struct event_loop *loop, int timeout_ms, struct error *err)
{
    int count = epoll_wait(loop->fd, loop->batch, EVENT_BATCH, timeout_ms);
    if (count < 0)
        return errno == EINTR || error_set_errno(err, ERROR_SYSTEM, "epoll_wait");
    loop->count = count;
    for (int i = 0; i < count; i++) {
        struct event_source *source = loop->batch[i].data.ptr;
        if (source != NULL)
            source->ready(source, loop->batch[i].events);
    }
    loop->count = 0;
    return true;
}
