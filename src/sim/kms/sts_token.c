/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/sts_token.h"

#include "base/base64.h"
#include "codec/json.h"
#include "formats/cose.h"
#include "formats/text.h"
#include "pki/ecdsa.h"
#include "pki/rsa_verify.h"

#define TOKEN_MAX 20000 /* STS API, AssumeRoleWithWebIdentity */
#define DEPTH_MAX 16

static bool not_valid(struct kms_failure *failure, const char *why)
{
    return kms_fail(failure, "InvalidIdentityToken", "The ID Token provided is not a valid JWT: %s",
                    why);
}

/* Decodes the alphabet of RFC 4648, section 5, without padding. */
static bool decode(struct buffer *out, struct bytes text)
{
    BUFFER_AUTO usual;
    buffer_init(&usual, TOKEN_MAX + 4);
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '+' || c == '/' || c == '=')
            return false;
        buffer_byte(&usual, c == '-' ? '+' : c == '_' ? '/' : c);
    }
    while (usual.len % 4 != 0 && !usual.failed)
        buffer_byte(&usual, '=');
    return !usual.failed && base64_decode(out, buffer_bytes(&usual));
}

static bool parse(struct json *doc, struct buffer *text, struct bytes part)
{
    struct error err;
    return decode(text, part) && json_parse(doc, buffer_bytes(text), &err) &&
           json_type(doc, 0) == JSON_OBJECT;
}

static bool text_is(const struct json *doc, json_value object, const char *name, const char *want)
{
    json_value v = json_member(doc, object, name);
    return v != JSON_NONE && json_type(doc, v) == JSON_STRING && json_string_is(doc, v, want);
}

/* aud is a text, or a list of them. */
static bool audience_is(const struct json *doc, const char *want)
{
    json_value list = json_member(doc, 0, "aud");
    if (list == JSON_NONE || json_type(doc, list) != JSON_ARRAY)
        return text_is(doc, 0, "aud", want);
    for (json_value v = json_first(doc, list); v != JSON_NONE; v = json_next(doc, list, v))
        if (json_type(doc, v) == JSON_STRING && json_string_is(doc, v, want))
            return true;
    return false;
}

static bool signature_valid(const struct json *header, struct bytes key, struct bytes message,
                            struct bytes signature)
{
    static const struct {
        const char *name;
        int64_t algorithm;
    } curves[] = {{"ES256", COSE_ES256}, {"ES384", COSE_ES384}, {"ES512", COSE_ES512}};
    if (text_is(header, 0, "alg", "RS256"))
        return rsa_verify_sha256(key, message, signature);
    for (size_t i = 0; i < ARRAY_LEN(curves); i++)
        if (text_is(header, 0, "alg", curves[i].name))
            return ecdsa_verify_raw(curves[i].algorithm, key, message, signature);
    return false;
}

/* Seconds since 1970 of a claim; false if it is there and is not a whole number. */
static bool take_time(const struct json *claims, const char *name, int64_t *out)
{
    json_value v = json_member(claims, 0, name);
    return v == JSON_NONE || json_int64(claims, v, out);
}

static bool check_claims(const struct sts_provider *provider, const struct json *claims,
                         int64_t now_s, struct kms_failure *failure)
{
    int64_t expires = INT64_MIN, begins = INT64_MIN;
    if (!text_is(claims, 0, "iss", provider->issuer))
        return kms_fail(failure, "InvalidIdentityToken",
                        "No OpenIDConnect provider found in your account for the token's issuer");
    if (!audience_is(claims, provider->audience))
        return kms_fail(failure, "InvalidIdentityToken", "Incorrect token audience");
    if (!take_time(claims, "exp", &expires) || !take_time(claims, "nbf", &begins))
        return not_valid(failure, "exp or nbf is not a number");
    if (expires <= now_s)
        return kms_fail(failure, "ExpiredTokenException",
                        "Token expired: current date/time %lld must be before the expiration "
                        "date/time %lld",
                        (long long)now_s, (long long)expires);
    if (begins > now_s)
        return not_valid(failure, "it is not valid yet");
    return text_is(claims, 0, "sub", provider->subject) ||
           kms_fail(failure, "AccessDenied",
                    "Not authorized to perform sts:AssumeRoleWithWebIdentity");
}

bool sts_token_check(const struct sts_provider *provider, struct bytes token, int64_t now_us,
                     struct kms_failure *failure)
{
    struct json header, claims;
    BUFFER_AUTO header_text;
    BUFFER_AUTO claims_text;
    BUFFER_AUTO signature;
    buffer_init(&header_text, TOKEN_MAX);
    buffer_init(&claims_text, TOKEN_MAX);
    buffer_init(&signature, TOKEN_MAX);
    json_init(&header, DEPTH_MAX);
    json_init(&claims, DEPTH_MAX);
    struct bytes rest = token;
    struct bytes first = text_cut(&rest, '.'), second = text_cut(&rest, '.');
    struct bytes message = bytes_of(token.at, first.len + 1 + second.len);
    bool good = false;
    if (rest.len == 0 || !parse(&header, &header_text, first) ||
        !parse(&claims, &claims_text, second) || !decode(&signature, rest))
        not_valid(failure, "it is not three parts, of which two are JSON");
    else if (!signature_valid(&header, buffer_bytes(&provider->public_key), message,
                              buffer_bytes(&signature)))
        not_valid(failure, "its signature is not the provider's");
    else
        good = check_claims(provider, &claims, now_us / 1000000, failure);
    json_clear(&header);
    json_clear(&claims);
    return good;
}
