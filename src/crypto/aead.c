/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/secret.h"

/* One context a direction: the key schedule and GHASH tables are made once, here. */
struct aead {
    EVP_CIPHER_CTX *seal;
    EVP_CIPHER_CTX *open;
};

struct aead *aead_new(const uint8_t key[AEAD_KEY_SIZE])
{
    struct aead *aead = calloc(1, sizeof *aead);
    if (aead == NULL)
        return NULL;
    aead->seal = EVP_CIPHER_CTX_new();
    aead->open = EVP_CIPHER_CTX_new();
    /* 12 bytes is GCM's default nonce length, so nothing but the key has to be set. */
    if (aead->seal == NULL || aead->open == NULL ||
        EVP_EncryptInit_ex2(aead->seal, EVP_aes_256_gcm(), key, NULL, NULL) != 1 ||
        EVP_DecryptInit_ex2(aead->open, EVP_aes_256_gcm(), key, NULL, NULL) != 1) {
        ERR_clear_error();
        aead_free(aead);
        return NULL;
    }
    return aead;
}

void aead_free(struct aead *aead)
{
    if (aead == NULL)
        return;
    EVP_CIPHER_CTX_free(aead->seal); /* wipes: see crypto_start */
    EVP_CIPHER_CTX_free(aead->open);
    free(aead);
}

/* OpenSSL counts in int; a part is a whole number of blocks. */
#define PART_MAX ((size_t)1 << 30)

static bool update(EVP_CIPHER_CTX *ctx, uint8_t *out, struct bytes in)
{
    while (in.len > 0) {
        int written;
        size_t part = in.len < PART_MAX ? in.len : PART_MAX;
        if (EVP_CipherUpdate(ctx, out, &written, in.at, (int)part) != 1 || written != (int)part)
            return false;
        out += part;
        in = bytes_from(in, part);
    }
    return true;
}

bool aead_seal(struct aead *aead, uint8_t *out, struct bytes plaintext)
{
    uint8_t *ciphertext = out + AEAD_NONCE_SIZE;
    uint8_t *tag = ciphertext + plaintext.len;
    int none;
    bool ok = EVP_EncryptInit_ex2(aead->seal, NULL, NULL, out, NULL) == 1 &&
              update(aead->seal, ciphertext, plaintext) &&
              EVP_EncryptFinal_ex(aead->seal, tag, &none) == 1 &&
              EVP_CIPHER_CTX_ctrl(aead->seal, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_SIZE, tag) == 1;
    if (!ok) {
        wipe(ciphertext, plaintext.len + AEAD_TAG_SIZE);
        ERR_clear_error();
    }
    return ok;
}

bool aead_open(struct aead *aead, uint8_t *out, struct bytes sealed)
{
    if (sealed.len < AEAD_OVERHEAD)
        return false;
    struct bytes ciphertext = bytes_of(sealed.at + AEAD_NONCE_SIZE, sealed.len - AEAD_OVERHEAD);
    uint8_t tag[AEAD_TAG_SIZE]; /* ctrl takes it unqualified */
    memcpy(tag, ciphertext.at + ciphertext.len, sizeof tag);
    uint8_t none_at[1];
    int none;
    bool ok = EVP_DecryptInit_ex2(aead->open, NULL, NULL, sealed.at, NULL) == 1 &&
              EVP_CIPHER_CTX_ctrl(aead->open, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_SIZE, tag) == 1 &&
              update(aead->open, out, ciphertext) &&
              EVP_DecryptFinal_ex(aead->open, none_at, &none) == 1;
    if (!ok) {
        wipe(out, ciphertext.len);
        ERR_clear_error();
    }
    return ok;
}
