/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ecdsa.h"

#include <limits.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "formats/cose.h"
#include "pki/ecdsa_key.h"

static const struct ecdsa_algorithm algorithms[] = {
    {COSE_ES256, "P-256", SN_X9_62_prime256v1, EVP_sha256, 32},
    {COSE_ES384, "P-384", SN_secp384r1, EVP_sha384, 48},
    {COSE_ES512, "P-521", SN_secp521r1, EVP_sha512, 66},
};

static const struct ecdsa_algorithm *find(int64_t id)
{
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (algorithms[i].id == id)
            return &algorithms[i];
    return NULL;
}

const struct ecdsa_algorithm *ecdsa_of_key(const EVP_PKEY *key)
{
    char group[32] = "";
    if (!EVP_PKEY_is_a(key, "EC") || EVP_PKEY_get_group_name(key, group, sizeof group, NULL) != 1)
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (strcmp(algorithms[i].group, group) == 0)
            return &algorithms[i];
    return NULL;
}

bool ecdsa_is_p384(const EVP_PKEY *key)
{
    const struct ecdsa_algorithm *algorithm = ecdsa_of_key(key);
    return algorithm != NULL && algorithm->id == COSE_ES384;
}

/* The key in spki; NULL if its curve is not that of the algorithm, or something follows it. */
static EVP_PKEY *read_key(const struct ecdsa_algorithm *algorithm, struct bytes spki)
{
    if (spki.len > LONG_MAX)
        return NULL;
    const uint8_t *at = spki.at;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &at, (long)spki.len);
    if (key != NULL && at == spki.at + spki.len && ecdsa_of_key(key) == algorithm)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

/* r ‖ s as the DER that OpenSSL verifies, to be freed with OPENSSL_free; NULL on failure. */
static uint8_t *to_der(struct bytes raw, size_t width, int *len)
{
    uint8_t *der = NULL;
    BIGNUM *r = BN_bin2bn(raw.at, (int)width, NULL);
    BIGNUM *s = BN_bin2bn(raw.at + width, (int)width, NULL);
    ECDSA_SIG *signature = ECDSA_SIG_new();
    if (r != NULL && s != NULL && signature != NULL && ECDSA_SIG_set0(signature, r, s) == 1)
        r = s = NULL; /* the signature owns them now */
    else
        goto out;
    *len = i2d_ECDSA_SIG(signature, &der);
    if (*len < 0)
        der = NULL;
out:
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(signature);
    return der;
}

int64_t ecdsa_algorithm_of(struct bytes spki)
{
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        EVP_PKEY *key = read_key(&algorithms[i], spki);
        if (key != NULL) {
            EVP_PKEY_free(key);
            return algorithms[i].id;
        }
    }
    ERR_clear_error();
    return 0;
}

bool ecdsa_digest(int64_t id, struct bytes message, struct buffer *out)
{
    unsigned len = 0;
    const struct ecdsa_algorithm *algorithm = find(id);
    uint8_t *room = buffer_reserve(out, ECDSA_DIGEST_MAX);
    if (algorithm == NULL || room == NULL ||
        EVP_Digest(message.at, message.len, room, &len, algorithm->hash(), NULL) != 1)
        return false;
    buffer_commit(out, len);
    return true;
}

bool ecdsa_from_der(struct bytes der, size_t width, struct buffer *out)
{
    const uint8_t *at = der.at;
    ECDSA_SIG *signature = der.len > LONG_MAX ? NULL : d2i_ECDSA_SIG(NULL, &at, (long)der.len);
    uint8_t *room = buffer_reserve(out, 2 * width);
    int half = (int)width;
    bool ok = signature != NULL && at == der.at + der.len && room != NULL &&
              BN_bn2binpad(ECDSA_SIG_get0_r(signature), room, half) == half &&
              BN_bn2binpad(ECDSA_SIG_get0_s(signature), room + width, half) == half;
    ECDSA_SIG_free(signature);
    ERR_clear_error();
    if (ok)
        buffer_commit(out, 2 * width);
    return ok;
}

bool ecdsa_to_raw(int64_t id, struct bytes signature, struct buffer *out, struct error *err)
{
    const struct ecdsa_algorithm *algorithm = find(id);
    if (algorithm == NULL)
        return error_set(err, ERROR_SIGNATURE, "no such algorithm");
    if (signature.len == 2 * algorithm->width) {
        buffer_append(out, signature);
        return !out->failed || error_set(err, ERROR_MEMORY, "no memory for a signature");
    }
    return ecdsa_from_der(signature, algorithm->width, out) ||
           error_set(err, ERROR_SIGNATURE,
                     "the signature is neither r and s in %zu bytes nor both in DER, as a "
                     "%s key makes it",
                     2 * algorithm->width, algorithm->name);
}

bool ecdsa_verify_raw(int64_t id, struct bytes spki, struct bytes message, struct bytes signature)
{
    const struct ecdsa_algorithm *algorithm = find(id);
    if (algorithm == NULL || signature.len != 2 * algorithm->width)
        return false;
    int der_len = 0;
    uint8_t *der = to_der(signature, algorithm->width, &der_len);
    EVP_PKEY *key = read_key(algorithm, spki);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = der != NULL && key != NULL && ctx != NULL &&
              EVP_DigestVerifyInit(ctx, NULL, algorithm->hash(), NULL, key) == 1 &&
              EVP_DigestVerify(ctx, der, (size_t)der_len, message.at, message.len) == 1;
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    OPENSSL_free(der);
    ERR_clear_error();
    return ok;
}
