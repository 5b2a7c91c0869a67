/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical form of any request: for the simulator, which rebuilds what a client claims to have
 * signed, and for the published test cases. The requests of enclaved are written in canonical form.
 */
#ifndef FORMATS_SIGV4_CANONICAL_H
#define FORMATS_SIGV4_CANONICAL_H

#include "crypto/sigv4.h"

#define SIGV4_HEADERS_MAX 32

struct sigv4_canonical {
    struct sigv4_request request;
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    struct buffer text; /* what the views point into */
};

/*
 * Makes a request canonical whose headers may have any case, order and spacing. out must not be
 * moved, and must be cleared on success and on failure. normalize_path removes dot segments and
 * double slashes, as for every service but S3. False if a limit is exceeded.
 */
MUST_USE bool sigv4_canonicalize(struct sigv4_canonical *out, const struct sigv4_request *request,
                                 bool normalize_path);
void sigv4_canonical_clear(struct sigv4_canonical *canonical);

/* For __attribute__((cleanup)). */
#define SIGV4_CANONICAL_AUTO __attribute__((cleanup(sigv4_canonical_clear))) struct sigv4_canonical

#endif
