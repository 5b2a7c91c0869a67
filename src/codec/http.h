/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/1.1 response (RFC 9112), the little that an answer of KMS needs: the status, and a body
 * of Content-Length bytes after a blank line. Chunked bodies and two lengths are refused; other
 * headers are not looked at, for the peer is KMS: TLS has seen to that.
 */
#ifndef CODEC_HTTP_H
#define CODEC_HTTP_H

#include "base/buffer.h"
#include "base/error.h"

#define HTTP_HEAD_MAX 16384 /* status line and headers together, bytes */

struct http_response {
    size_t status;     /* 100..599 */
    struct bytes head; /* all header lines, each with its CRLF */
    struct bytes body; /* both are views into the input */
};

enum http_progress { HTTP_INCOMPLETE, HTTP_COMPLETE, HTTP_MALFORMED };

/*
 * Looks at what has arrived so far. HTTP_COMPLETE fills *out; HTTP_MALFORMED fills *err
 * (ERROR_KMS_RESPONSE). A body longer than body_max (far below SIZE_MAX / 10) is malformed as soon
 * as the head is whole.
 */
MUST_USE enum http_progress http_response_parse(struct http_response *out, struct bytes input,
                                                size_t body_max, struct error *err);

#endif
