/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, HMAC and random bytes. Each fails if OpenSSL does: there is no fallback. */
#ifndef CRYPTO_HASH_H
#define CRYPTO_HASH_H

#include "base/bytes.h"

#define SHA256_SIZE 32

/*
 * Prepares OpenSSL: it reads no configuration file and wipes every allocation that it frees. To be
 * called before threads start and before any other function of src/crypto.
 */
MUST_USE bool crypto_start(void);

/*
 * Has OpenSSL keep the numbers of private keys and the state of its generators in memory of their
 * own: between guard pages and left out of core files; locked, or it fails if that is required. To
 * be called once, before anything is drawn or made.
 */
MUST_USE bool crypto_guard(bool lock_required);

/* FIPS 180-4, and RFC 2104 with it. The output has no meaning on failure. */
MUST_USE bool sha256(uint8_t out[SHA256_SIZE], struct bytes in);
MUST_USE bool hmac_sha256(uint8_t out[SHA256_SIZE], struct bytes key, struct bytes in);

/* Random bytes for keys and nonces, from OpenSSL's generator, which the kernel's seeds. */
MUST_USE bool random_bytes(uint8_t *out, size_t len);
/*
 * Seeds OpenSSL's generators anew, from entropy (at least 32 bytes) and from the kernel's. False if
 * one of both is missing; they draw on nothing else.
 */
MUST_USE bool random_seed(struct bytes entropy);

#endif
