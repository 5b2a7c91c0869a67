/* SPDX-License-Identifier: Apache-2.0 */
/* What an enclave asks the simulated module for: a name, and a map of arguments with most of them.
 */
#ifndef SIM_NSM_NSM_REQUEST_H
#define SIM_NSM_NSM_REQUEST_H

#include "base/bytes.h"

/*
 * The arguments that requests have; others are skipped. at stays NULL for an argument that is
 * absent or null.
 */
struct nsm_arguments {
    bool has_index, has_range;
    uint64_t index, range;
    struct bytes data, user_data, nonce, public_key;
};

struct nsm_request {
    struct bytes name; /* a view into the request */
    bool bare;         /* the name alone, as "GetRandom" is */
    struct nsm_arguments arguments;
};

/* False if it is not one whole item of this shape. */
MUST_USE bool nsm_request_parse(struct nsm_request *out, struct bytes request);

/* The name alone, whatever its arguments are: empty if there is none. */
struct bytes nsm_request_name(struct bytes request);

#endif
