/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-384, for registers and images; enclaved leaves it to the NSM. */
#ifndef PKI_SHA384_H
#define PKI_SHA384_H

#include "crypto/hash.h"

#define SHA384_SIZE 48

MUST_USE bool sha384(uint8_t out[SHA384_SIZE], struct bytes in);
/* SHA-384 of a ‖ b: how a PCR is extended. */
MUST_USE bool sha384_pair(uint8_t out[SHA384_SIZE], struct bytes a, struct bytes b);

/* SHA-384 of data in pieces. */
struct sha384_stream;

/* NULL if there is no memory; the other functions accept NULL, and sha384_end then fails. */
struct sha384_stream *sha384_begin(void);
void sha384_update(struct sha384_stream *stream, struct bytes more);
/* Frees the stream. False if anything failed since it began, or out is NULL. */
MUST_USE bool sha384_end(struct sha384_stream *stream, uint8_t out[SHA384_SIZE]);

/* The value of a register that was zero and was extended once by digest: SHA-384(0⁴⁸ ‖ digest).
 * digest and out may be the same. */
MUST_USE bool sha384_register(uint8_t out[SHA384_SIZE], const uint8_t digest[SHA384_SIZE]);

#endif
