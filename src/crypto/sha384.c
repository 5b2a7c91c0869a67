/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha384.h"

#include <openssl/err.h>
#include <openssl/evp.h>

bool sha384_pair(uint8_t out[SHA384_SIZE], struct bytes a, struct bytes b)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha384(), NULL) == 1 &&
              EVP_DigestUpdate(ctx, a.at, a.len) == 1 && EVP_DigestUpdate(ctx, b.at, b.len) == 1 &&
              EVP_DigestFinal_ex(ctx, out, NULL) == 1;
    EVP_MD_CTX_free(ctx);
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool sha384(uint8_t out[SHA384_SIZE], struct bytes in)
{
    return sha384_pair(out, in, bytes_of(NULL, 0));
}
