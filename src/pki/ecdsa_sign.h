/* SPDX-License-Identifier: Apache-2.0 */
/* Signing as COSE has it, with keys of others: P-256, P-384 or P-521 from a PEM file. */
#ifndef PKI_ECDSA_SIGN_H
#define PKI_ECDSA_SIGN_H

#include "base/buffer.h"
#include "base/error.h"

struct signing_key;

/* PKCS#8 or SEC1, not encrypted. ERROR_CRYPTO says what pem is not; never what it holds. */
MUST_USE struct signing_key *signing_key_from_pem(struct bytes pem, struct error *err);
void signing_key_free(struct signing_key *key);

/* ES256, ES384 or ES512 (enum cose_algorithm), by the key's curve. */
int64_t signing_key_algorithm(const struct signing_key *key);
/* Whether the DER SubjectPublicKeyInfo is that of this key. */
bool signing_key_matches(const struct signing_key *key, struct bytes spki);

/* Appends r ‖ s. Twice the same message gives two signatures: the nonce is random. */
MUST_USE bool ecdsa_sign_raw(const struct signing_key *key, struct bytes message,
                             struct buffer *out);

#endif
