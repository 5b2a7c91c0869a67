/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/hash.h"

#include <limits.h>
#include <stdalign.h>
#include <stdlib.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "base/secret.h"

/*
 * OpenSSL's own allocations: private keys, expanded keys, session secrets, decrypted records. It
 * clears some itself and many not; so every block remembers its size and is wiped when it is freed.
 */
struct block {
    alignas(max_align_t) size_t size;
};

static void *wiping_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    if (size == 0 || size > SIZE_MAX - sizeof(struct block))
        return NULL;
    struct block *block = malloc(sizeof *block + size);
    if (block == NULL)
        return NULL;
    block->size = size;
    return block + 1;
}

static void wiping_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    if (at == NULL)
        return;
    struct block *block = (struct block *)at - 1;
    wipe(block, sizeof *block + block->size);
    free(block);
}

/* realloc(3) could move the block and not wipe the old one: always takes a new one, then wipes. */
static void *wiping_realloc(void *at, size_t size, const char *file, int line)
{
    if (at == NULL)
        return wiping_malloc(size, file, line);
    if (size == 0) {
        wiping_free(at, file, line);
        return NULL;
    }
    size_t old = ((struct block *)at - 1)->size;
    void *moved = wiping_malloc(size, file, line);
    if (moved == NULL)
        return NULL;
    memcpy(moved, at, old < size ? old : size);
    wiping_free(at, file, line);
    return moved;
}

bool crypto_start(void)
{
    static bool started;
    if (started)
        return true;
    /* NO_ATEXIT would leave secrets in memory at exit; the default clean-up frees, and so wipes. */
    started = CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free) == 1 &&
              OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1;
    return started;
}

/* A boot's RSA key, the generators of all threads and a handshake take less than 4 KiB of it. */
#define GUARDED_BYTES 65536
#define GUARDED_LEAST 32 /* the smallest piece of it */

bool crypto_guard(bool lock_required)
{
    int guarded = CRYPTO_secure_malloc_init(GUARDED_BYTES, GUARDED_LEAST);
    return guarded == 1 || (guarded == 2 && !lock_required); /* 2: not locked, or without guards */
}

bool sha256(uint8_t out[SHA256_SIZE], struct bytes in)
{
    bool ok = EVP_Digest(in.at, in.len, out, NULL, EVP_sha256(), NULL) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool hmac_sha256(uint8_t out[SHA256_SIZE], struct bytes key, struct bytes in)
{
    static const uint8_t none[1]; /* a NULL key would mean the previous key */
    size_t len = 0;
    const uint8_t *key_at = key.len > 0 ? key.at : none;
    bool ok = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key_at, key.len, in.at, in.len, out,
                        SHA256_SIZE, &len) != NULL &&
              len == SHA256_SIZE;
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool random_bytes(uint8_t *out, size_t len)
{
    while (len > 0) {
        int part = len > INT_MAX ? INT_MAX : (int)len;
        if (RAND_priv_bytes(out, part) != 1) {
            ERR_clear_error();
            return false;
        }
        out += part;
        len -= (size_t)part;
    }
    return true;
}

bool random_seed(struct bytes entropy)
{
    /* Threads draw from generators of their own, which follow this one. */
    EVP_RAND_CTX *primary = RAND_get0_primary(NULL);
    bool ok = primary != NULL && EVP_RAND_reseed(primary, 0, entropy.at, entropy.len, NULL, 0) == 1;
    if (!ok)
        ERR_clear_error();
    return ok;
}
