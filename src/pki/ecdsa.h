/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA signatures in the form of COSE: r ‖ s, each as wide as the curve (RFC 9053, 2.1). Most
 * other programs write the two as DER (RFC 3279, 2.2.3).
 */
#ifndef PKI_ECDSA_H
#define PKI_ECDSA_H

#include "base/buffer.h"
#include "base/error.h"

#define ES384_SIZE     96
#define ECDSA_RAW_SIZE 132 /* the longest: ES512 */
#define ECDSA_DER_MAX  160 /* in DER: two integers of 67 bytes, and their headers */

/* The algorithm (enum cose_algorithm) for the key in spki, by its curve; 0 if there is none. */
int64_t ecdsa_algorithm_of(struct bytes spki);

#define ECDSA_DIGEST_MAX 64
/* Appends the digest of message by the algorithm's hash; that is what the key signs. */
MUST_USE bool ecdsa_digest(int64_t algorithm, struct bytes message, struct buffer *out);

/* Appends a signature, which may be r ‖ s or DER, as r ‖ s. ERROR_SIGNATURE if it is neither. */
MUST_USE bool ecdsa_to_raw(int64_t algorithm, struct bytes signature, struct buffer *out,
                           struct error *err);

/*
 * Whether signature is a valid signature of message under spki, a DER SubjectPublicKeyInfo.
 * algorithm (enum cose_algorithm) fixes the curve, the hash and the length: P-256 with SHA-256 for
 * ES256, P-384 with SHA-384 for ES384, P-521 with SHA-512 for ES512. Any s is accepted, high or
 * low.
 */
MUST_USE bool ecdsa_verify_raw(int64_t algorithm, struct bytes spki, struct bytes message,
                               struct bytes signature);

#endif
