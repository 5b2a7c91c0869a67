/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/recipient.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "codec/cms.h"
#include "crypto/hash.h"

#define RSA_BITS  2048u
#define CEK_SIZE  32u /* AES-256 */
#define AES_BLOCK 16u

struct recipient {
    EVP_PKEY *key;
    uint8_t spki[RECIPIENT_SPKI_SIZE];
};

struct recipient *recipient_take(struct evp_pkey_st *key, struct error *err)
{
    struct recipient *recipient = calloc(1, sizeof *recipient);
    bool fits = recipient != NULL && key != NULL && EVP_PKEY_is_a(key, "RSA") &&
                EVP_PKEY_get_bits(key) == (int)RSA_BITS &&
                i2d_PUBKEY(key, NULL) == RECIPIENT_SPKI_SIZE;
    uint8_t *end = fits ? recipient->spki : NULL;
    if (!fits || i2d_PUBKEY(key, &end) != RECIPIENT_SPKI_SIZE) {
        EVP_PKEY_free(key);
        free(recipient);
        ERR_clear_error();
        error_set(err, ERROR_CRYPTO, "no RSA-2048 key");
        return NULL;
    }
    recipient->key = key;
    return recipient;
}

struct recipient *recipient_new(struct error *err)
{
    return recipient_take(EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)RSA_BITS), err);
}

void recipient_free(struct recipient *recipient)
{
    if (recipient == NULL)
        return;
    EVP_PKEY_free(recipient->key);
    free(recipient);
}

struct bytes recipient_spki(const struct recipient *recipient)
{
    return bytes_of(recipient->spki, sizeof recipient->spki);
}

/* at has room for CMS_WRAPPED_KEY_SIZE bytes; the key becomes the first CEK_SIZE of them. */
static bool unwrap_key(EVP_PKEY *key, struct bytes wrapped, uint8_t *at)
{
    size_t len = CMS_WRAPPED_KEY_SIZE;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool ok = ctx != NULL && EVP_PKEY_decrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, "SHA256", NULL) == 1 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, "SHA256", NULL) == 1 &&
              EVP_PKEY_decrypt(ctx, at, &len, wrapped.at, wrapped.len) == 1 && len == CEK_SIZE;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* Without OpenSSL's check of the padding, whose duration shows whether it was good. */
static bool decrypt_blocks(uint8_t *out, const uint8_t *cek, struct bytes iv, struct bytes in)
{
    int len = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = ctx != NULL && EVP_DecryptInit_ex2(ctx, EVP_aes_256_cbc(), cek, iv.at, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
              EVP_DecryptUpdate(ctx, out, &len, in.at, (int)in.len) == 1 &&
              EVP_DecryptFinal_ex(ctx, out + len, &rest) == 1 && (size_t)len == in.len;
    EVP_CIPHER_CTX_free(ctx);
    return ok;
}

/* The length of the PKCS #7 padding of whole blocks, 0 if it is wrong, without a branch on it. */
static unsigned padding_length(struct bytes blocks)
{
    const uint8_t *last = blocks.at + blocks.len - AES_BLOCK;
    unsigned pad = last[AES_BLOCK - 1];
    unsigned wrong = (pad - 1u) & ~(AES_BLOCK - 1u); /* nonzero unless 1 <= pad <= 16 */
    for (unsigned i = 0; i < AES_BLOCK; i++) {
        unsigned within = 0u - ((AES_BLOCK - 1u - i - pad) >> 31); /* all ones where i is padding */
        wrong |= within & (last[i] ^ pad);
    }
    unsigned right = ((wrong | (0u - wrong)) >> 31) - 1u; /* all ones if nothing was wrong */
    return pad & right;
}

/*
 * A wrapped key that does not open is replaced by a random one and the work goes on, so that
 * neither the error nor the time shows which step failed (RFC 3218).
 */
static bool decrypt(const struct recipient *recipient, const struct cms_envelope *envelope,
                    struct bytes content, uint8_t *cek, uint8_t *plaintext, size_t *len)
{
    uint8_t stand_in[CEK_SIZE];
    if (!random_bytes(stand_in, sizeof stand_in))
        return false;
    bool unwrapped = unwrap_key(recipient->key, envelope->wrapped_key, cek);
    if (!unwrapped)
        memcpy(cek, stand_in, sizeof stand_in);
    bool decrypted = decrypt_blocks(plaintext, cek, envelope->iv, content);
    unsigned padding = decrypted ? padding_length(bytes_of(plaintext, content.len)) : 0;
    *len = content.len - padding;
    return unwrapped & decrypted & (padding != 0);
}

static bool open_content(const struct recipient *recipient, const struct cms_envelope *envelope,
                         struct bytes content, struct buffer *out, struct error *err)
{
    size_t len = 0, room = CMS_WRAPPED_KEY_SIZE + content.len;
    uint8_t *cek = secret_alloc(room);
    if (cek == NULL)
        return error_set(err, ERROR_MEMORY, "no locked memory for the CMS envelope");
    uint8_t *plaintext = cek + CMS_WRAPPED_KEY_SIZE;
    bool ok = decrypt(recipient, envelope, content, cek, plaintext, &len);
    if (ok && len <= RECIPIENT_SECRET_MAX)
        buffer_append(out, bytes_of(plaintext, len));
    secret_free(cek, room);
    ERR_clear_error();
    if (!ok || len > RECIPIENT_SECRET_MAX)
        return error_set(err, ERROR_ENVELOPE,
                         "the CMS envelope does not open: it is damaged or for another key");
    if (out->failed)
        return error_set(err, ERROR_ENVELOPE, "the CMS envelope contains more bytes than expected");
    return true;
}

bool recipient_open(const struct recipient *recipient, struct bytes envelope, struct buffer *out,
                    struct error *err)
{
    buffer_reset(out);
    if (envelope.len > RECIPIENT_ENVELOPE_MAX)
        return error_set(err, ERROR_ENVELOPE, "the CMS envelope is longer than %d bytes",
                         RECIPIENT_ENVELOPE_MAX);
    BUFFER_AUTO content;
    buffer_init(&content, RECIPIENT_SECRET_MAX + AES_BLOCK);
    struct cms_envelope parts;
    if (!cms_parse(&parts, &content, envelope, err))
        return false;
    if (content.len == 0 || content.len % AES_BLOCK != 0)
        return error_set(err, ERROR_ENVELOPE,
                         "the CMS envelope: the content is not a whole number of AES blocks");
    if (!open_content(recipient, &parts, buffer_bytes(&content), out, err)) {
        buffer_reset(out);
        return false;
    }
    return true;
}
