/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical form of any request, for those who do not write it themselves: the simulator, which
 * rebuilds what a client says it signed, and the published cases. enclaved's own one is canonical
 * as it stands.
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
 * Makes request, whose headers may have any case, order and spacing, canonical; out must not be
 * moved and wants clearing in any case. normalize_path: remove dot segments and double slashes
 * (every service but S3). False if a limit is exceeded.
 */
MUST_USE bool sigv4_canonicalize(struct sigv4_canonical *out, const struct sigv4_request *request,
                                 bool normalize_path);
void sigv4_canonical_clear(struct sigv4_canonical *canonical);

/* For __attribute__((cleanup)). */
#define SIGV4_CANONICAL_AUTO __attribute__((cleanup(sigv4_canonical_clear))) struct sigv4_canonical

#endif
