/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a connection. */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "host/relay/relay.h"

#define READS_A_TURN 4

static bool would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}

static void drop_kept(struct flow *flow)
{
    free(flow->kept);
    flow->kept = NULL;
    flow->start = flow->end = 0;
}

/* Sends bytes; returns how many. Fewer than len: the receiver is full, or dead now. */
static size_t put(struct flow *flow, const uint8_t *at, size_t len, uint64_t *count)
{
    size_t taken = 0;
    while (taken < len) {
        ssize_t n = send(flow->to->fd, at + taken, len - taken, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n > 0) {
            taken += (size_t)n;
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        flow->dead = n < 0 && !would_block(errno);
        break;
    }
    *count += taken;
    return taken;
}

static void put_kept(struct flow *flow, uint64_t *count)
{
    flow->start += put(flow, flow->kept + flow->start, flow->end - flow->start, count);
    if (flow->dead || flow->start == flow->end)
        drop_kept(flow);
}

static bool keep(struct flow *flow, const uint8_t *at, size_t len)
{
    flow->kept = malloc(len);
    if (flow->kept == NULL)
        return false;
    memcpy(flow->kept, at, len);
    flow->start = 0;
    flow->end = len;
    return true;
}

/* Reads once and sends on what came. *more: there may be more to read. False without memory. */
static bool carry(struct flow *flow, uint8_t *inbox, uint64_t *count, bool *more)
{
    *more = false;
    ssize_t n = recv(flow->from->fd, inbox, RELAY_READ_SIZE, MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) {
        *more = true;
        return true;
    }
    if (n < 0 && would_block(errno))
        return true;
    if (n <= 0) {
        flow->ended = true;
        flow->broken = n < 0;
        return true;
    }
    size_t taken = put(flow, inbox, (size_t)n, count);
    if (taken < (size_t)n && !flow->dead)
        return keep(flow, inbox + taken, (size_t)n - taken);
    *more = (size_t)n == RELAY_READ_SIZE;
    return true;
}

/* Whether there is room for what a read would bring. */
static bool may_read(const struct flow *flow)
{
    return !flow->ended && !flow->dead && flow->kept == NULL;
}

/* Passes a proper end on, once all bytes before it have gone out. */
static void pass_end(struct flow *flow)
{
    if (!flow->ended || flow->broken || flow->dead || flow->kept != NULL || flow->passed)
        return;
    /* It fails if the other side is gone. Whether that was a reset, the other flow finds out. */
    (void)shutdown(flow->to->fd, SHUT_WR);
    flow->passed = true;
}

bool flow_run(struct flow *flow, uint8_t *inbox, uint64_t *count)
{
    if (flow->kept != NULL)
        put_kept(flow, count);
    bool more = true;
    for (int i = 0; i < READS_A_TURN && more && may_read(flow); i++)
        if (!carry(flow, inbox, count, &more))
            return false;
    pass_end(flow);
    return true;
}

bool flow_is_over(const struct flow *flow)
{
    return flow->passed || flow->dead || (flow->ended && flow->kept == NULL);
}

uint32_t flow_events(const struct flow *from, const struct flow *to)
{
    uint32_t events = 0;
    if (may_read(from))
        events |= EPOLLIN;
    if (to->kept != NULL && !to->dead)
        events |= EPOLLOUT;
    return events;
}
