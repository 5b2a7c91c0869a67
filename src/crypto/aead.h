/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AES-256-GCM (NIST SP 800-38D) in the sealed form: nonce(12) ‖ ciphertext ‖ tag(16), no AAD.
 * The contexts and the expanded key are made once for each key and thread, not for each message.
 */
#ifndef CRYPTO_AEAD_H
#define CRYPTO_AEAD_H

#include "base/bytes.h"

#define AEAD_KEY_SIZE   32
#define AEAD_NONCE_SIZE 12
#define AEAD_TAG_SIZE   16
#define AEAD_OVERHEAD   (AEAD_NONCE_SIZE + AEAD_TAG_SIZE)
/* Most messages under one key with random nonces (SP 800-38D, 8.3): 2^32. */
#define AEAD_SEALS_MAX (UINT64_C(1) << 32)

struct aead; /* for one thread at a time */

/* NULL if there is no memory. The key is copied; aead_free wipes the copy. */
MUST_USE struct aead *aead_new(const uint8_t key[AEAD_KEY_SIZE]);
void aead_free(struct aead *aead);

/*
 * Seals under the nonce that the caller put into out[0..11] (random, never used before): writes
 * ciphertext and tag after it. out has plaintext.len + AEAD_OVERHEAD bytes; plaintext may lie at
 * out + AEAD_NONCE_SIZE, otherwise they must not overlap. False if OpenSSL fails; what was written
 * is then wiped.
 */
MUST_USE bool aead_seal(struct aead *aead, uint8_t *out, struct bytes plaintext);

/*
 * Opens sealed into out, sealed.len - AEAD_OVERHEAD bytes (out may be sealed.at + AEAD_NONCE_SIZE).
 * False if it is too short or does not authenticate; out is then wiped.
 */
MUST_USE bool aead_open(struct aead *aead, uint8_t *out, struct bytes sealed);

#endif
