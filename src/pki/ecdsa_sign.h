/* SPDX-License-Identifier: Apache-2.0 */
/* Signing in the form of COSE with a key from a PEM file: P-256, P-384 or P-521. */
#ifndef PKI_ECDSA_SIGN_H
#define PKI_ECDSA_SIGN_H

#include "base/buffer.h"
#include "base/error.h"

struct signing_key;

/* PKCS#8 or SEC1, not encrypted. ERROR_CRYPTO says what is wrong, and nothing about the content. */
MUST_USE struct signing_key *signing_key_from_pem(struct bytes pem, struct error *err);
void signing_key_free(struct signing_key *key);

/* ES256, ES384 or ES512 (enum cose_algorithm), by the key's curve. */
int64_t signing_key_algorithm(const struct signing_key *key);
/* Whether spki, a DER SubjectPublicKeyInfo, belongs to this key. */
bool signing_key_matches(const struct signing_key *key, struct bytes spki);

/* Appends r ‖ s. The nonce is random, so the same message gives different signatures. */
MUST_USE bool ecdsa_sign_raw(const struct signing_key *key, struct bytes message,
                             struct buffer *out);

#endif
