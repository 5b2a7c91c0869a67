/* SPDX-License-Identifier: Apache-2.0 */
/* A request to the simulated module: a name and, with most requests, a map of arguments. */
#ifndef SIM_NSM_NSM_REQUEST_H
#define SIM_NSM_NSM_REQUEST_H

#include "base/bytes.h"

/*
 * The known arguments; others are skipped. at is NULL for an argument that is absent or null.
 */
struct nsm_arguments {
    bool has_index, has_range;
    uint64_t index, range;
    struct bytes data, user_data, nonce, public_key;
};

struct nsm_request {
    struct bytes name; /* a view into the request */
    bool bare;         /* only the name, such as "GetRandom" */
    struct nsm_arguments arguments;
};

/* False unless request is one complete item of this shape. */
MUST_USE bool nsm_request_parse(struct nsm_request *out, struct bytes request);

/* Only the name, whatever the arguments are; empty if there is none. */
struct bytes nsm_request_name(struct bytes request);

#endif
