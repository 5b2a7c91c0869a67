/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-384: of registers and images, which enclaved leaves to the NSM. */
#ifndef PKI_SHA384_H
#define PKI_SHA384_H

#include "crypto/hash.h"

#define SHA384_SIZE 48

MUST_USE bool sha384(uint8_t out[SHA384_SIZE], struct bytes in);
/* SHA-384 of a ‖ b: how a PCR is extended. */
MUST_USE bool sha384_pair(uint8_t out[SHA384_SIZE], struct bytes a, struct bytes b);

/* SHA-384 of what comes in pieces. */
struct sha384_stream;

/* NULL if there is no memory, which the others take and sha384_end then tells. */
struct sha384_stream *sha384_begin(void);
void sha384_update(struct sha384_stream *stream, struct bytes more);
/* Frees the stream. False if anything failed since it began. out may be NULL: only freed. */
MUST_USE bool sha384_end(struct sha384_stream *stream, uint8_t out[SHA384_SIZE]);

/* The value of a register that was zero and has been extended once by digest: SHA-384(0⁴⁸ ‖
 * digest). digest may be out itself. */
MUST_USE bool sha384_register(uint8_t out[SHA384_SIZE], const uint8_t digest[SHA384_SIZE]);

#endif
