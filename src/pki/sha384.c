/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/sha384.h"

#include <stdlib.h>

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

struct sha384_stream {
    EVP_MD_CTX *ctx;
    bool failed;
};

struct sha384_stream *sha384_begin(void)
{
    struct sha384_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return NULL;
    stream->ctx = EVP_MD_CTX_new();
    stream->failed =
        stream->ctx == NULL || EVP_DigestInit_ex2(stream->ctx, EVP_sha384(), NULL) != 1;
    return stream;
}

void sha384_update(struct sha384_stream *stream, struct bytes more)
{
    if (stream != NULL && !stream->failed)
        stream->failed = EVP_DigestUpdate(stream->ctx, more.at, more.len) != 1;
}

bool sha384_end(struct sha384_stream *stream, uint8_t out[SHA384_SIZE])
{
    if (stream == NULL)
        return false;
    bool ok = !stream->failed && out != NULL && EVP_DigestFinal_ex(stream->ctx, out, NULL) == 1;
    EVP_MD_CTX_free(stream->ctx);
    free(stream);
    if (!ok)
        ERR_clear_error();
    return ok;
}

bool sha384_register(uint8_t out[SHA384_SIZE], const uint8_t digest[SHA384_SIZE])
{
    static const uint8_t zero[SHA384_SIZE];
    return sha384_pair(out, bytes_of(zero, sizeof zero), bytes_of(digest, SHA384_SIZE));
}
