/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, HMAC and random bytes. A failure of the library is a failure of the caller: no fallback.
 */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/bytes.h"

#define SHA256_SIZE 32

/*
 * Prepares OpenSSL: no configuration file, and every allocation wiped when freed. Call once, first,
 * before threads start and before any other function of src/crypto.
 */
MUST_USE bool crypto_start(void);

MUST_USE bool sha256(uint8_t out[SHA256_SIZE], struct bytes in);
MUST_USE bool hmac_sha256(uint8_t out[SHA256_SIZE], struct bytes key, struct bytes in);

/* Random bytes for keys and nonces, from OpenSSL's generator, which the kernel's seeds. */
MUST_USE bool random_bytes(uint8_t *out, size_t len);
/* Mixes entropy into OpenSSL's generator, beside the kernel's. */
void random_add(struct bytes entropy);

#endif
