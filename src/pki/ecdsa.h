/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA signatures as COSE has them: r ‖ s, each as wide as the curve (RFC 9053, 2.1). */
#ifndef PKI_ECDSA_H
#define PKI_ECDSA_H

#include "base/bytes.h"

#define ES384_SIZE     96
#define ECDSA_RAW_SIZE 132 /* the longest: ES512 */

/*
 * Whether signature is one of message under the DER SubjectPublicKeyInfo spki. algorithm is COSE's
 * (enum cose_algorithm) and fixes the curve, the hash and the length: P-256 with SHA-256 for ES256,
 * P-384 with SHA-384 for ES384, P-521 with SHA-512 for ES512. Any s is accepted, high or low.
 */
MUST_USE bool ecdsa_verify_raw(int64_t algorithm, struct bytes spki, struct bytes message,
                               struct bytes signature);

#endif
