/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, the header form (AWS General Reference, "Create a signed AWS API
 * request"), of a request that is in canonical form; formats/sigv4_canonical.h brings others into
 * it.
 */
#ifndef CRYPTO_SIGV4_H
#define CRYPTO_SIGV4_H

#include "base/buffer.h"
#include "base/error.h"

struct sigv4_header {
    struct bytes name; /* in lower case */
    struct bytes value;
};

struct sigv4_request {
    struct bytes method;
    struct bytes path;                  /* as on the request line, without the query */
    struct bytes query;                 /* without '?', may be empty */
    const struct sigv4_header *headers; /* those to be signed, by name, each name once */
    size_t header_count;
    struct bytes payload;
};

struct sigv4_scope {
    struct bytes region;
    struct bytes service;
    char amz_date[17]; /* 20261122T131623Z */
};

/* Appends the canonical request; false if out is full or without memory. */
MUST_USE bool sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request);

/* Appends the string to sign for a canonical request; false likewise. */
MUST_USE bool sigv4_string_to_sign(struct buffer *out, struct bytes canonical_request,
                                   const struct sigv4_scope *scope);

/* Appends the signature, 64 hex digits; false likewise. Intermediate keys are wiped. */
MUST_USE bool sigv4_signature(struct buffer *out, struct bytes string_to_sign,
                              struct bytes secret_key, const struct sigv4_scope *scope);

/* Does all three and appends the value of the Authorization header; false likewise. */
MUST_USE bool sigv4_authorization(struct buffer *out, const struct sigv4_request *request,
                                  const struct sigv4_scope *scope, struct bytes access_key_id,
                                  struct bytes secret_key);

#endif
