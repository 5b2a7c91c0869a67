/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4, the header form (AWS General Reference, "Create a signed AWS API
 * request"). The signer is in enclaved; the simulator rebuilds the same strings from what a client
 * says it signed.
 */
#ifndef CODEC_SIGV4_H
#define CODEC_SIGV4_H

#include "base/buffer.h"
#include "base/error.h"

#define SIGV4_HEADERS_MAX 32

struct sigv4_header {
    struct bytes name; /* any case */
    struct bytes value;
};

struct sigv4_request {
    struct bytes method;
    struct bytes path;                  /* as on the request line, without the query */
    struct bytes query;                 /* without '?', may be empty */
    const struct sigv4_header *headers; /* those to be signed, any order */
    size_t header_count;                /* at most SIGV4_HEADERS_MAX */
    struct bytes payload;
    bool normalize_path; /* remove dot segments and double slashes (every service but S3) */
};

struct sigv4_scope {
    struct bytes region;
    struct bytes service;
    char amz_date[17]; /* 20261122T131623Z */
};

/* Appends the canonical request; false if a limit is exceeded. */
MUST_USE bool sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request);

/* Appends the string to sign for a canonical request. */
MUST_USE bool sigv4_string_to_sign(struct buffer *out, struct bytes canonical_request,
                                   const struct sigv4_scope *scope);

/* Appends the signature, 64 hex digits; intermediate keys are wiped. */
MUST_USE bool sigv4_signature(struct buffer *out, struct bytes string_to_sign,
                              struct bytes secret_key, const struct sigv4_scope *scope);

/* All three: appends the value of the Authorization header. */
MUST_USE bool sigv4_authorization(struct buffer *out, const struct sigv4_request *request,
                                  const struct sigv4_scope *scope, struct bytes access_key_id,
                                  struct bytes secret_key);

#endif
