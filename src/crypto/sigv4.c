/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sigv4.h"

#include "base/hex.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define ALGORITHM      "AWS4-HMAC-SHA256"
#define TERMINATOR     "aws4_request"
#define DATE_LEN       8 /* of amz_date: 20261122 */
#define CANONICAL_MAX  (1u << 20)
#define SECRET_KEY_MAX 1024

static void signed_headers(struct buffer *out, const struct sigv4_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        buffer_text(out, i == 0 ? "" : ";");
        buffer_append(out, request->headers[i].name);
    }
}

static bool append_sha256(struct buffer *out, struct bytes in)
{
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE];
    if (!sha256(digest, in))
        return false;
    hex_encode(text, bytes_of(digest, sizeof digest));
    buffer_append(out, bytes_of(text, sizeof text));
    return !out->failed;
}

bool sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request)
{
    const struct bytes lines[] = {request->method, request->path, request->query};
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        buffer_append(out, lines[i]);
        buffer_byte(out, '\n');
    }
    for (size_t i = 0; i < request->header_count; i++) {
        buffer_append(out, request->headers[i].name);
        buffer_byte(out, ':');
        buffer_append(out, request->headers[i].value);
        buffer_byte(out, '\n');
    }
    buffer_byte(out, '\n');
    signed_headers(out, request);
    buffer_byte(out, '\n');
    return append_sha256(out, request->payload);
}

/* DATE/REGION/SERVICE/aws4_request */
static void append_scope(struct buffer *out, const struct sigv4_scope *scope)
{
    buffer_append(out, bytes_of(scope->amz_date, DATE_LEN));
    buffer_byte(out, '/');
    buffer_append(out, scope->region);
    buffer_byte(out, '/');
    buffer_append(out, scope->service);
    buffer_text(out, "/" TERMINATOR);
}

bool sigv4_string_to_sign(struct buffer *out, struct bytes canonical_request,
                          const struct sigv4_scope *scope)
{
    buffer_text(out, ALGORITHM "\n");
    buffer_append(out, bytes_of(scope->amz_date, sizeof scope->amz_date - 1));
    buffer_byte(out, '\n');
    append_scope(out, scope);
    buffer_byte(out, '\n');
    return append_sha256(out, canonical_request);
}

/* Replaces key by the HMAC under it. */
static bool chain(uint8_t key[SHA256_SIZE], struct bytes in)
{
    uint8_t next[SHA256_SIZE];
    bool ok = hmac_sha256(next, bytes_of(key, SHA256_SIZE), in);
    memcpy(key, next, sizeof next);
    wipe(next, sizeof next);
    return ok;
}

bool sigv4_signature(struct buffer *out, struct bytes string_to_sign, struct bytes secret_key,
                     const struct sigv4_scope *scope)
{
    BUFFER_AUTO first;
    buffer_init_secret(&first, SECRET_KEY_MAX);
    buffer_text(&first, "AWS4");
    buffer_append(&first, secret_key);
    uint8_t key[SHA256_SIZE];
    char text[2 * SHA256_SIZE];
    bool ok = !first.failed &&
              hmac_sha256(key, buffer_bytes(&first), bytes_of(scope->amz_date, DATE_LEN)) &&
              chain(key, scope->region) && chain(key, scope->service) &&
              chain(key, bytes_text(TERMINATOR)) && chain(key, string_to_sign);
    if (ok) {
        hex_encode(text, bytes_of(key, sizeof key));
        buffer_append(out, bytes_of(text, sizeof text));
    }
    wipe(key, sizeof key);
    return ok && !out->failed;
}

bool sigv4_authorization(struct buffer *out, const struct sigv4_request *request,
                         const struct sigv4_scope *scope, struct bytes access_key_id,
                         struct bytes secret_key)
{
    BUFFER_AUTO canonical;
    BUFFER_AUTO to_sign;
    buffer_init(&canonical, CANONICAL_MAX);
    buffer_init(&to_sign, CANONICAL_MAX);
    if (!sigv4_canonical_request(&canonical, request) ||
        !sigv4_string_to_sign(&to_sign, buffer_bytes(&canonical), scope))
        return false;
    buffer_text(out, ALGORITHM " Credential=");
    buffer_append(out, access_key_id);
    buffer_byte(out, '/');
    append_scope(out, scope);
    buffer_text(out, ", SignedHeaders=");
    signed_headers(out, request);
    buffer_text(out, ", Signature=");
    return sigv4_signature(out, buffer_bytes(&to_sign), secret_key, scope);
}
