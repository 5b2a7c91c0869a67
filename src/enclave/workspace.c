/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/workspace.h"

#include <stdlib.h>

/* More than this is given back after the request that needed it. */
#define KEEP_BYTES (1u << 20)

void workspace_init(struct workspace *w, enum keyring_thread thread, const struct limits *limits)
{
    size_t frame_bytes = limits->frame_bytes;
    *w = (struct workspace){.thread = thread, .frame_bytes = frame_bytes};
    json_init(&w->request, limits->json_depth);
    json_init(&w->state, limits->json_depth);
    w->request.value_limit = limits->json_values;
    w->state.depth_limit = w->request.depth_limit + STATE_DEPTH_MORE;
    w->state.value_limit = w->request.value_limit + STATE_VALUES_MORE;
    buffer_init(&w->received, frame_bytes);
    buffer_init_secret(&w->opened, frame_bytes);
    buffer_init_secret(&w->built, 0); /* agent_begin_state sets the limit */
}

static void give_back(struct buffer *b)
{
    if (b->cap > KEEP_BYTES)
        buffer_clear(b);
    else
        buffer_reset(b);
}

void workspace_give_request(struct workspace *w, struct json *document)
{
    size_t size = w->request.count * sizeof *w->request.nodes;
    struct json_node *nodes = malloc(size);
    *document = w->request;
    if (nodes != NULL) {
        document->nodes = memcpy(nodes, w->request.nodes, size);
        document->cap = document->count;
        return;
    }
    w->request =
        (struct json){.depth_limit = document->depth_limit, .value_limit = document->value_limit};
}

void workspace_reset(struct workspace *w)
{
    give_back(&w->received);
    give_back(&w->opened);
    give_back(&w->built);
    if (w->request.cap > KEEP_BYTES / sizeof *w->request.nodes)
        json_clear(&w->request);
    if (w->state.cap > KEEP_BYTES / sizeof *w->state.nodes)
        json_clear(&w->state);
}

void workspace_clear(struct workspace *w)
{
    json_clear(&w->request);
    json_clear(&w->state);
    buffer_clear(&w->received);
    buffer_clear(&w->opened);
    buffer_clear(&w->built);
}
