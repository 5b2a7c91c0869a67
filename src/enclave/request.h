/* SPDX-License-Identifier: Apache-2.0 */
/* One request: from the bytes of a frame to the frame that answers it (docs/protocol.md). */
#ifndef ENCLAVE_REQUEST_H
#define ENCLAVE_REQUEST_H

#include <stdatomic.h>

#include "base/buffer.h"
#include "enclave/connection.h"

struct config;
struct keyring;
struct session;
struct workspace;

/* What requests are served with, shared by the threads that serve them. */
struct service {
    const struct config *config;
    struct keyring *ring;
    struct session *session;
    int64_t started_ms; /* clock_monotonic_ms */

    atomic_uint_fast64_t connections;      /* open now */
    atomic_uint_fast64_t requests, errors; /* since the start */
    atomic_uint_fast64_t ended[END_COUNT]; /* connections since the start, by reason */
};

/*
 * Serves content, appending one whole frame to answer, be it an error; nothing if no memory can be
 * had. False, with nothing appended: it is a `configure`, which the session has to serve; its
 * index is in the workspace, for workspace_give_request. Otherwise the workspace is wiped.
 */
MUST_USE bool request_serve(struct service *service, struct workspace *w, struct bytes content,
                            struct buffer *answer);

#endif
