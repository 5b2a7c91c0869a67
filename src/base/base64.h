/* SPDX-License-Identifier: Apache-2.0 */
/* Base64 with padding, the standard alphabet (RFC 4648, section 4). */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include "base/buffer.h"

/* Appends the encoding of in to out (sticky failure). */
void base64_encode(struct buffer *out, struct bytes in);

/*
 * Appends the decoding of text to out. Strict: no white space, padding required, unused bits zero.
 * False if text is not base64 or out is full.
 */
MUST_USE bool base64_decode(struct buffer *out, struct bytes text);

#endif
