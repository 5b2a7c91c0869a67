/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1.1 response (RFC 9112), the little that an answer of KMS needs: status line, headers,
 * a body of Content-Length bytes. Chunked bodies and anything ambiguous (two lengths, obsolete line
 * folding, bare CR) are refused.
 */
#ifndef CODEC_HTTP_H
#define CODEC_HTTP_H

#include "base/buffer.h"
#include "base/error.h"

#define HTTP_HEAD_MAX 16384 /* status line and headers together, bytes */

struct http_response {
    unsigned status;   /* 100..599 */
    struct bytes head; /* all header lines */
    struct bytes body; /* views into the input */
};

enum http_progress { HTTP_INCOMPLETE, HTTP_COMPLETE, HTTP_MALFORMED };

/*
 * Looks at what has arrived so far. HTTP_COMPLETE fills *out; HTTP_MALFORMED fills *err
 * (ERROR_KMS_RESPONSE). A body longer than body_max is malformed as soon as its length is read.
 */
MUST_USE enum http_progress http_response_parse(struct http_response *out, struct bytes input,
                                                size_t body_max, struct error *err);

#endif
