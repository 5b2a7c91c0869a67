/* SPDX-License-Identifier: Apache-2.0 */
/* RSA signatures with SHA-256 and the padding of PKCS #1, version 1.5 (RS256 of RFC 7518, 3.3). */
#ifndef PKI_RSA_VERIFY_H
#define PKI_RSA_VERIFY_H

#include "base/bytes.h"

/* Whether signature is valid under spki, a DER SubjectPublicKeyInfo of 2,048 bits or more. */
MUST_USE bool rsa_verify_sha256(struct bytes spki, struct bytes message, struct bytes signature);

#endif
