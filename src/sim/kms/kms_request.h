/* SPDX-License-Identifier: Apache-2.0 */
/* An HTTP request to the simulated KMS, and the exception that it may be answered with. */
#ifndef SIM_KMS_KMS_REQUEST_H
#define SIM_KMS_KMS_REQUEST_H

#include "crypto/sigv4.h"
#include "sim/kms_store/kms_id.h"

#define KMS_HEADERS_MAX 64

/* All views belong to the server and live as long as the request. */
struct kms_request {
    char id[KMS_ID_SIZE]; /* x-amzn-RequestId */
    struct bytes method;
    struct bytes target; /* path and query, as on the request line */
    struct sigv4_header headers[KMS_HEADERS_MAX];
    size_t header_count;
    struct bytes body;
};

/* Whether a header has this name (given in lower case), in any case. */
bool kms_header_is(const struct sigv4_header *header, const char *name);

/*
 * The value of the header name (lower case): the first if there are several, at NULL if there is
 * none. *count, unless NULL, is how often the header occurs.
 */
struct bytes kms_request_header(const struct kms_request *request, const char *name, size_t *count);

/* An exception of the KMS API and its message, which may be empty. */
struct kms_failure {
    const char *type;
    char message[1024];
};

/* `return kms_fail(failure, "ValidationException", "…");`: fills *failure and returns false. */
bool kms_fail(struct kms_failure *failure, const char *type, const char *format, ...)
    PRINTF_LIKE(3, 4);
/* The same without a message. */
bool kms_fail_type(struct kms_failure *failure, const char *type);

#endif
