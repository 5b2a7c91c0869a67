/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/rsa_verify.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#define BITS_MIN 2048 /* RFC 7518, 3.3 */

bool rsa_verify_sha256(struct bytes spki, struct bytes message, struct bytes signature)
{
    const uint8_t *at = spki.at;
    EVP_PKEY *key = spki.len <= LONG_MAX ? d2i_PUBKEY(NULL, &at, (long)spki.len) : NULL;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        key != NULL && context != NULL && at == spki.at + spki.len && EVP_PKEY_is_a(key, "RSA") &&
        EVP_PKEY_get_bits(key) >= BITS_MIN &&
        EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key) == 1 &&
        EVP_DigestVerify(context, signature.at, signature.len, message.at, message.len) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return good;
}
