/* SPDX-License-Identifier: Apache-2.0 */
/* One request: from the bytes of a frame to the frame that answers it (docs/protocol.md). */
#ifndef ENCLAVE_REQUEST_H
#define ENCLAVE_REQUEST_H

#include <stdatomic.h>

#include "enclave/agents.h"
#include "enclave/config.h"
#include "enclave/session.h"

/* What requests are served with, shared by the threads that serve them. */
struct service {
    const struct config *config;
    struct keyring *ring;
    struct session *session;
    int64_t started_ms; /* clock_monotonic_ms */

    /* counts since start, and connections open now */
    atomic_uint_fast64_t requests, errors, refused, strangers;
    atomic_uint_fast64_t connections;
};

enum request_result {
    REQUEST_SERVED,    /* a frame was appended to the answer */
    REQUEST_FAILED,    /* an error frame was */
    REQUEST_CONFIGURE, /* nothing was: the session has to serve it */
};

/*
 * Serves content, appending one whole frame to answer. The workspace is wiped before it returns.
 */
enum request_result request_serve(struct service *service, struct workspace *w,
                                  struct bytes content, struct buffer *answer);

#endif
