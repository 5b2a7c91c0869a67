/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/cms_seal.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/secret.h"
#include "crypto/hash.h"
#include "crypto/recipient.h"

#define CEK_SIZE     32u
#define IV_SIZE      16u
#define AES_BLOCK    16u
#define WRAPPED_SIZE 256u
#define CHUNK_SIZE   1000u

/* SEQUENCE(indefinite) { OID envelopedData, [0](indefinite) { SEQUENCE(indefinite) { INTEGER 2 */
static const uint8_t opening[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                  0x01, 0x07, 0x03, 0xa0, 0x80, 0x30, 0x80, 0x02, 0x01, 0x02};

/* SET, SEQUENCE: one KeyTransRecipientInfo of 359 bytes; INTEGER 2; [0] 32 bytes follow */
static const uint8_t recipient_info[] = {0x31, 0x82, 0x01, 0x6b, 0x30, 0x82, 0x01,
                                         0x67, 0x02, 0x01, 0x02, 0x80, 0x20};

/* RSAES-OAEP { [0] SHA-256, [1] MGF1 with SHA-256 }, then OCTET STRING, 256 bytes follow */
static const uint8_t key_encryption[] = {
    0x30, 0x3c, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07, 0x30,
    0x2f, 0xa0, 0x0f, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04,
    0x02, 0x01, 0x05, 0x00, 0xa1, 0x1c, 0x30, 0x1a, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86,
    0xf7, 0x0d, 0x01, 0x01, 0x08, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65,
    0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x82, 0x01, 0x00};

/* SEQUENCE(indefinite) { OID data, SEQUENCE { OID aes-256-cbc, OCTET STRING, 16 bytes follow */
static const uint8_t content_info[] = {0x30, 0x80, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d,
                                       0x01, 0x07, 0x01, 0x30, 0x1d, 0x06, 0x09, 0x60, 0x86, 0x48,
                                       0x01, 0x65, 0x03, 0x04, 0x01, 0x2a, 0x04, 0x10};

/* The ends of the indefinite levels: content info, EnvelopedData, [0], ContentInfo. */
static const uint8_t closing[8];

/* A tag and a definite length, at most 65535, in the fewest bytes. */
static void append_header(struct buffer *out, uint8_t tag, size_t len)
{
    buffer_byte(out, tag);
    if (len > 0xff)
        buffer_append(out, bytes_of((uint8_t[]){0x82, (uint8_t)(len >> 8)}, 2));
    else if (len > 0x7f)
        buffer_byte(out, 0x81);
    buffer_byte(out, (uint8_t)len);
}

static void append_content(struct buffer *out, struct bytes content, enum cms_content form)
{
    if (form == CMS_PRIMITIVE) {
        append_header(out, 0x80, content.len);
        buffer_append(out, content);
        return;
    }
    buffer_append(out, bytes_of((uint8_t[]){0xa0, 0x80}, 2));
    while (content.len > 0) {
        size_t chunk = content.len < CHUNK_SIZE ? content.len : CHUNK_SIZE;
        append_header(out, 0x04, chunk);
        buffer_append(out, bytes_of(content.at, chunk));
        content = bytes_from(content, chunk);
    }
    buffer_append(out, bytes_of((uint8_t[]){0x00, 0x00}, 2));
}

static bool wrap_key(uint8_t wrapped[WRAPPED_SIZE], EVP_PKEY *key, const uint8_t cek[CEK_SIZE])
{
    size_t len = WRAPPED_SIZE;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
    bool ok = ctx != NULL && EVP_PKEY_encrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, "SHA256", NULL) == 1 &&
              EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, "SHA256", NULL) == 1 &&
              EVP_PKEY_encrypt(ctx, wrapped, &len, cek, CEK_SIZE) == 1 && len == WRAPPED_SIZE;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

/* AES-256-CBC with PKCS #7 padding. */
static bool encrypt(struct buffer *out, const uint8_t *cek, const uint8_t *iv, struct bytes in)
{
    int len = 0, rest = 0;
    uint8_t *at = in.len > INT_MAX - AES_BLOCK ? NULL : buffer_reserve(out, in.len + AES_BLOCK);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = at != NULL && ctx != NULL &&
              EVP_EncryptInit_ex2(ctx, EVP_aes_256_cbc(), cek, iv, NULL) == 1 &&
              EVP_EncryptUpdate(ctx, at, &len, in.at, (int)in.len) == 1 &&
              EVP_EncryptFinal_ex(ctx, at + len, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (ok)
        buffer_commit(out, (size_t)len + (size_t)rest);
    return ok;
}

/* NULL unless spki is an RSA-2048 key and nothing else. */
static EVP_PKEY *read_key(struct bytes spki)
{
    const uint8_t *at = spki.at;
    EVP_PKEY *key = spki.len > LONG_MAX ? NULL : d2i_PUBKEY(NULL, &at, (long)spki.len);
    bool fits = key != NULL && at == spki.at + spki.len && EVP_PKEY_is_a(key, "RSA") &&
                EVP_PKEY_get_bits(key) == 2048;
    if (fits)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

bool cms_seal(struct buffer *out, struct bytes spki, struct bytes plaintext, enum cms_content form,
              struct error *err)
{
    BUFFER_AUTO content;
    buffer_init(&content, RECIPIENT_SECRET_MAX + AES_BLOCK);
    uint8_t cek[CEK_SIZE], iv[IV_SIZE], wrapped[WRAPPED_SIZE], key_id[SHA256_SIZE];
    EVP_PKEY *key = read_key(spki);
    bool ok = key != NULL && random_bytes(cek, sizeof cek) && random_bytes(iv, sizeof iv) &&
              sha256(key_id, spki) && wrap_key(wrapped, key, cek) &&
              encrypt(&content, cek, iv, plaintext);
    EVP_PKEY_free(key);
    wipe(cek, sizeof cek);
    ERR_clear_error();
    if (!ok)
        return error_set(err, ERROR_CRYPTO, "%s",
                         key == NULL ? "the recipient's key is not an RSA-2048 public key"
                                     : "cannot make the envelope");
    buffer_append(out, bytes_of(opening, sizeof opening));
    buffer_append(out, bytes_of(recipient_info, sizeof recipient_info));
    buffer_append(out, bytes_of(key_id, sizeof key_id));
    buffer_append(out, bytes_of(key_encryption, sizeof key_encryption));
    buffer_append(out, bytes_of(wrapped, sizeof wrapped));
    buffer_append(out, bytes_of(content_info, sizeof content_info));
    buffer_append(out, bytes_of(iv, sizeof iv));
    append_content(out, buffer_bytes(&content), form);
    buffer_append(out, bytes_of(closing, sizeof closing));
    return out->failed ? error_set(err, ERROR_MEMORY, "no memory for the envelope") : true;
}
