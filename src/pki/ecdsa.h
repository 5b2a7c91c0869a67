/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures in the form of COSE: r ‖ s, each as wide as the curve (RFC 9053, 2.1). */
#ifndef PKI_ECDSA_H
#define PKI_ECDSA_H

#include "base/bytes.h"

#define ES384_SIZE     96
#define ECDSA_RAW_SIZE 132 /* the longest: ES512 */
#define ECDSA_DER_MAX  160 /* in DER: two integers of 67 bytes, and their headers */

/*
 * Whether signature is a valid signature of message under spki, a DER SubjectPublicKeyInfo.
 * algorithm (enum cose_algorithm) fixes the curve, the hash and the length: P-256 with SHA-256 for
 * ES256, P-384 with SHA-384 for ES384, P-521 with SHA-512 for ES512. Any s is accepted, high or
 * low.
 */
MUST_USE bool ecdsa_verify_raw(int64_t algorithm, struct bytes spki, struct bytes message,
                               struct bytes signature);

#endif
