/* SPDX-License-Identifier: Apache-2.0 */
/* The `configure` request, read and checked against what is pinned. Its shape: docs/protocol.md. */
#ifndef ENCLAVE_CONFIGURE_REQUEST_H
#define ENCLAVE_CONFIGURE_REQUEST_H

#include "enclave/config.h"
#include "enclave/kms.h"

struct configure_request {
    bool has_credentials;
    struct kms_credentials credentials;
    struct buffer wrapped; /* empty: none given */
};

/* request lies in secret memory; the caller wipes it and clears wrapped. */
MUST_USE bool configure_parse(struct configure_request *request, struct bytes content,
                              const struct config *config, struct error *err);

#endif
