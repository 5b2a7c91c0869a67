/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/ecdsa_sign.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "pki/ecdsa.h"
#include "pki/ecdsa_key.h"
#include "pki/pem_key.h"

struct signing_key {
    EVP_PKEY *pkey; /* of a curve that ecdsa_of_key knows */
};

struct signing_key *signing_key_from_pem(struct bytes pem, struct error *err)
{
    EVP_PKEY *pkey = pem_private_key(pem);
    const struct ecdsa_algorithm *algorithm = pkey == NULL ? NULL : ecdsa_of_key(pkey);
    struct signing_key *key = algorithm == NULL ? NULL : calloc(1, sizeof *key);
    if (key == NULL) {
        error_set(err, ERROR_CRYPTO, "%s",
                  pkey == NULL        ? "not a private key in PEM, or one that is encrypted"
                  : algorithm == NULL ? "the key is not a P-256, P-384 or P-521 key"
                                      : "no memory for a key");
        EVP_PKEY_free(pkey);
        ERR_clear_error();
        return NULL;
    }
    key->pkey = pkey;
    return key;
}

void signing_key_free(struct signing_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

int64_t signing_key_algorithm(const struct signing_key *key)
{
    return ecdsa_of_key(key->pkey)->id;
}

bool signing_key_matches(const struct signing_key *key, struct bytes spki)
{
    const uint8_t *at = spki.at;
    EVP_PKEY *other = spki.len > LONG_MAX ? NULL : d2i_PUBKEY(NULL, &at, (long)spki.len);
    bool same = other != NULL && EVP_PKEY_eq(key->pkey, other) == 1;
    EVP_PKEY_free(other);
    ERR_clear_error();
    return same;
}

bool ecdsa_sign_with(EVP_PKEY *key, struct bytes message, struct buffer *out)
{
    uint8_t der[ECDSA_DER_MAX];
    size_t len = sizeof der;
    const struct ecdsa_algorithm *algorithm = ecdsa_of_key(key);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = algorithm != NULL && ctx != NULL &&
              EVP_DigestSignInit(ctx, NULL, algorithm->hash(), NULL, key) == 1 &&
              EVP_DigestSign(ctx, der, &len, message.at, message.len) == 1 &&
              ecdsa_from_der(bytes_of(der, len), algorithm->width, out);
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

bool ecdsa_sign_raw(const struct signing_key *key, struct bytes message, struct buffer *out)
{
    return ecdsa_sign_with(key->pkey, message, out);
}
