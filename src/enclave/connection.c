/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/connection.h"

#include <stdlib.h>
#include <unistd.h>

#include "enclave/answer.h"
#include "enclave/server.h"
#include "net/frame.h"

void connection_unlist(struct connection_list lists[WAITING_KINDS], struct connection *c)
{
    struct connection_list *list = &lists[c->waiting];
    if (c->waiting == WAITING_KINDS)
        return;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        list->first = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    else
        list->last = c->previous;
    c->previous = c->next = NULL;
    c->waiting = WAITING_KINDS;
}

void connection_wait(struct connection_list lists[WAITING_KINDS], struct connection *c,
                     enum waiting_for kind, int64_t now_ms)
{
    struct connection_list *list = &lists[kind];
    connection_unlist(lists, c);
    c->waiting = kind;
    c->until_ms = list->limit_ms == INT64_MAX ? INT64_MAX : now_ms + list->limit_ms;
    c->previous = list->last;
    if (list->last != NULL)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
}

struct connection *connection_new(int fd, size_t frame_bytes)
{
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return NULL;
    c->fd = fd;
    c->waiting = WAITING_KINDS;
    /* A frame's beginning and what one read may bring behind it. */
    buffer_init_secret(&c->in, frame_bytes + FRAME_HEADER_SIZE + SERVER_READ_SIZE);
    buffer_init(&c->out, frame_bytes + ANSWER_SLACK + 2 * SERVER_READ_SIZE);
    return c;
}

void connection_free(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    buffer_clear(&c->in);
    buffer_clear(&c->out);
    free(c);
}
