/* SPDX-License-Identifier: Apache-2.0 */
/* Hexadecimal (RFC 4648, section 8), without a branch or a table look-up on the content. */
#ifndef BASE_HEX_H
#define BASE_HEX_H

#include "base/bytes.h"

/* Writes 2 * in.len lower-case digits to out, without a terminator. out must not overlap in. */
void hex_encode(char *out, struct bytes in);

/*
 * Decodes digits of either case into text.len / 2 bytes at out, which may be text itself. False if
 * the number of digits is odd or one of them is not a hex digit; out then has no meaning.
 */
MUST_USE bool hex_decode(uint8_t *out, struct bytes text);

#endif
