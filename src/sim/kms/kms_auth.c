/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Authorization header:
 *
 *     AWS4-HMAC-SHA256 Credential=KEYID/DATE/REGION/SERVICE/aws4_request,
 *         SignedHeaders=a;b, Signature=HEX
 *
 * The texts of failures are AWS's (AWS General Reference, "Troubleshooting SigV4").
 */
#include "sim/kms/kms_auth.h"

#include <ctype.h>
#include <stdio.h>
#include <time.h>

#include "base/secret.h"
#include "formats/clock_parse.h"
#include "formats/sigv4_canonical.h"
#include "formats/text.h"

#define SKEW_MAX_US (300 * INT64_C(1000000)) /* 5 minutes */
#define ALGORITHM   "AWS4-HMAC-SHA256"

struct authorization {
    struct bytes access_key_id;
    struct bytes date;
    struct bytes region;
    struct bytes service;
    struct bytes terminator;
    struct bytes signed_headers;
    struct bytes signature;
};

static bool incomplete(struct kms_failure *failure, const char *parameter)
{
    return kms_fail(failure, "IncompleteSignatureException",
                    "Authorization header requires '%s' parameter.", parameter);
}

/* KEYID/DATE/REGION/SERVICE/aws4_request */
static bool parse_credential(struct authorization *out, struct bytes credential,
                             struct kms_failure *failure)
{
    out->access_key_id = text_cut(&credential, '/');
    out->date = text_cut(&credential, '/');
    out->region = text_cut(&credential, '/');
    out->service = text_cut(&credential, '/');
    out->terminator = credential;
    if (out->access_key_id.len > 0 && out->terminator.len > 0)
        return true;
    return kms_fail(failure, "IncompleteSignatureException",
                    "Credential must have exactly 5 slash-delimited elements, e.g. "
                    "keyid/date/region/service/term");
}

static bool parse_authorization(struct authorization *out, struct bytes header,
                                struct kms_failure *failure)
{
    struct bytes credential = bytes_of(NULL, 0);
    memset(out, 0, sizeof *out);
    if (!bytes_equal_text(text_cut(&header, ' '), ALGORITHM))
        return kms_fail(failure, "IncompleteSignatureException",
                        "Unsupported AWS 'algorithm': the only one is " ALGORITHM);
    while (header.len > 0) {
        struct bytes value = text_trim(text_cut(&header, ','));
        struct bytes name = text_cut(&value, '=');
        if (bytes_equal_text(name, "Credential"))
            credential = value;
        else if (bytes_equal_text(name, "SignedHeaders"))
            out->signed_headers = value;
        else if (bytes_equal_text(name, "Signature"))
            out->signature = value;
        else
            return kms_fail(failure, "IncompleteSignatureException",
                            "Authorization header has an unknown parameter");
    }
    if (credential.len == 0)
        return incomplete(failure, "Credential");
    if (out->signed_headers.len == 0)
        return incomplete(failure, "SignedHeaders");
    if (out->signature.len == 0)
        return incomplete(failure, "Signature");
    return parse_credential(out, credential, failure);
}

/* The time of x-amz-date, or else of Date, in basic ISO 8601 form or in HTTP's. */
static bool request_date(const struct kms_request *request, int64_t *at_us,
                         char basic[CLOCK_BASIC_SIZE], struct kms_failure *failure)
{
    struct bytes text = kms_request_header(request, "x-amz-date", NULL);
    if (text.at == NULL)
        text = kms_request_header(request, "date", NULL);
    if (text.at == NULL)
        return kms_fail(failure, "IncompleteSignatureException",
                        "Authorization header requires existence of either a 'X-Amz-Date' or a "
                        "'Date' header.");
    char copy[40];
    struct tm tm = {0};
    const char *end = NULL;
    snprintf(copy, sizeof copy, "%.*s", text.len < 39 ? (int)text.len : 39, (const char *)text.at);
    if (text.len == CLOCK_BASIC_SIZE - 1 && clock_parse(text, at_us)) {
        memcpy(basic, copy, CLOCK_BASIC_SIZE);
        return true;
    }
    end = strptime(copy, "%a, %d %b %Y %H:%M:%S GMT", &tm);
    if (end == NULL || *end != '\0')
        return kms_fail(failure, "IncompleteSignatureException",
                        "Date must be in ISO-8601 'basic format'. See "
                        "http://en.wikipedia.org/wiki/ISO_8601");
    *at_us = (int64_t)timegm(&tm) * 1000000;
    clock_format_basic(basic, *at_us);
    return true;
}

static bool check_scope(const struct kms_service *service, const char *name,
                        const struct authorization *a, const char *basic,
                        struct kms_failure *failure)
{
    if (!bytes_equal(a->date, bytes_of(basic, 8)))
        return kms_fail(failure, "InvalidSignatureException",
                        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of "
                        "date from HTTP: '%.*s' != '%.8s', from '%s'.",
                        a->date.len < 32 ? (int)a->date.len : 32, (const char *)a->date.at, basic,
                        basic);
    if (!bytes_equal_text(a->region, service->region))
        return kms_fail(failure, "InvalidSignatureException",
                        "Credential should be scoped to a valid region, not '%.*s'.",
                        a->region.len < 64 ? (int)a->region.len : 64, (const char *)a->region.at);
    if (!bytes_equal_text(a->service, name))
        return kms_fail(failure, "InvalidSignatureException",
                        "Credential should be scoped to correct service: '%s'.", name);
    if (!bytes_equal_text(a->terminator, "aws4_request"))
        return kms_fail(failure, "InvalidSignatureException",
                        "Credential should be scoped with a valid terminator: 'aws4_request'.");
    return true;
}

static bool check_skew(const struct kms_service *service, int64_t at_us, const char *basic,
                       struct kms_failure *failure)
{
    int64_t now_us = kms_now_us(service);
    char now[CLOCK_BASIC_SIZE];
    char bound[CLOCK_BASIC_SIZE];
    clock_format_basic(now, now_us);
    if (at_us < now_us - SKEW_MAX_US) {
        clock_format_basic(bound, now_us - SKEW_MAX_US);
        return kms_fail(failure, "InvalidSignatureException",
                        "Signature expired: %s is now earlier than %s (%s - 5 min.)", basic, bound,
                        now);
    }
    if (at_us > now_us + SKEW_MAX_US) {
        clock_format_basic(bound, now_us + SKEW_MAX_US);
        return kms_fail(failure, "InvalidSignatureException",
                        "Signature not yet current: %s is still later than %s (%s + 5 min.)", basic,
                        bound, now);
    }
    return true;
}

/* A header that is absent need not be signed; one that occurs twice would be ambiguous. */
static bool check_signed(const struct kms_request *request, struct bytes signed_headers,
                         const char *name, struct kms_failure *failure)
{
    size_t count = 0;
    kms_request_header(request, name, &count);
    if (count > 1)
        return kms_fail(failure, "InvalidSignatureException", "Header '%s' occurs %zu times.", name,
                        count);
    while (signed_headers.len > 0)
        if (bytes_equal_text(text_cut(&signed_headers, ';'), name))
            return true;
    return count == 0 || kms_fail(failure, "InvalidSignatureException",
                                  "'%s' must be a 'SignedHeader' in the AWS Authorization.", name);
}

#define NAME_SIZE 128 /* of a signed header's name, with its terminator */

/* Copies the next of SignedHeaders; false if it is not in lower case or not after the last one. */
static bool next_signed(struct bytes *names, char name[NAME_SIZE])
{
    char before[NAME_SIZE];
    struct bytes part = text_cut(names, ';');
    memcpy(before, name, NAME_SIZE);
    if (part.len == 0 || part.len >= NAME_SIZE || memchr(part.at, '\0', part.len) != NULL)
        return false;
    memcpy(name, part.at, part.len);
    name[part.len] = '\0';
    for (const char *c = name; *c != '\0'; c++)
        if (isupper((unsigned char)*c))
            return false;
    return strcmp(before, name) < 0;
}

/* The headers that SignedHeaders names, with every value of each. */
static bool collect_signed(const struct kms_request *request, struct bytes names,
                           struct sigv4_header *out, size_t *count, struct kms_failure *failure)
{
    char name[NAME_SIZE] = "";
    *count = 0;
    while (names.len > 0) {
        size_t before = *count;
        if (!next_signed(&names, name))
            return kms_fail(failure, "InvalidSignatureException",
                            "SignedHeaders must be lower-case names in ascending order.");
        for (size_t i = 0; i < request->header_count; i++) {
            if (!kms_header_is(&request->headers[i], name))
                continue;
            if (*count == SIGV4_HEADERS_MAX)
                return kms_fail(failure, "InvalidSignatureException",
                                "More than %d signed headers.", SIGV4_HEADERS_MAX);
            out[(*count)++] = request->headers[i];
        }
        if (*count == before)
            return kms_fail(failure, "InvalidSignatureException",
                            "The signed header '%s' is not in the request.", name);
    }
    return true;
}

/* Computes the signature that the holder of secret would have made over this request. */
static bool compute(const struct kms_request *request, const struct authorization *a,
                    const struct sigv4_header *headers, size_t count, const char *basic,
                    struct bytes secret, struct buffer *signature)
{
    struct bytes path = request->target;
    struct bytes query = path;
    path = text_cut(&query, '?');
    struct sigv4_request r = {
        .method = request->method,
        .path = path,
        .query = query,
        .headers = headers,
        .header_count = count,
        .payload = request->body,
    };
    struct sigv4_scope scope = {.region = a->region, .service = a->service};
    memcpy(scope.amz_date, basic, sizeof scope.amz_date);
    SIGV4_CANONICAL_AUTO form;
    BUFFER_AUTO canonical;
    BUFFER_AUTO text;
    buffer_init(&canonical, 256u << 10);
    buffer_init(&text, 4096);
    return sigv4_canonicalize(&form, &r, true) &&
           sigv4_canonical_request(&canonical, &form.request) &&
           sigv4_string_to_sign(&text, buffer_bytes(&canonical), &scope) &&
           sigv4_signature(signature, buffer_bytes(&text), secret, &scope);
}

static bool check_signature(const struct kms_request *request, const struct authorization *a,
                            const char *basic, struct bytes secret, struct kms_failure *failure)
{
    static const char *const must[] = {"host", "x-amz-date", "date", "x-amz-target",
                                       "x-amz-security-token"};
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    size_t count = 0;
    size_t hosts = 0;
    kms_request_header(request, "host", &hosts);
    if (hosts == 0)
        return kms_fail(failure, "InvalidSignatureException", "The request has no Host header.");
    for (size_t i = 0; i < ARRAY_LEN(must); i++)
        if (strcmp(must[i], "date") != 0 ||
            kms_request_header(request, "x-amz-date", NULL).at == NULL)
            if (!check_signed(request, a->signed_headers, must[i], failure))
                return false;
    if (!collect_signed(request, a->signed_headers, headers, &count, failure))
        return false;
    BUFFER_AUTO want;
    buffer_init(&want, 256);
    if (compute(request, a, headers, count, basic, secret, &want) &&
        bytes_equal_secret(buffer_bytes(&want), a->signature))
        return true;
    return kms_fail(failure, "InvalidSignatureException",
                    "The request signature we calculated does not match the signature you "
                    "provided. Check your AWS Secret Access Key and signing method. Consult the "
                    "service documentation for details.");
}

static bool unknown_token(struct kms_failure *failure)
{
    return kms_fail(failure, "UnrecognizedClientException",
                    "The security token included in the request is invalid.");
}

/* Token and expiration: what can be checked before the signature. */
static bool check_token(const struct kms_service *service, const struct kms_request *request,
                        const struct kms_credential *credential, struct kms_failure *failure)
{
    struct bytes token = kms_request_header(request, "x-amz-security-token", NULL);
    if (!bytes_equal_secret(token, buffer_bytes(&credential->session_token)))
        return unknown_token(failure);
    if (credential->expires_us <= kms_now_us(service))
        return kms_fail(failure, "ExpiredTokenException",
                        "The security token included in the request is expired");
    return true;
}

static bool check(struct kms_service *service, const char *name, const struct kms_request *request,
                  const struct authorization *a, struct kms_credential *credential,
                  struct kms_failure *failure)
{
    char basic[CLOCK_BASIC_SIZE];
    int64_t at_us = 0;
    if (!request_date(request, &at_us, basic, failure) ||
        !check_scope(service, name, a, basic, failure) ||
        !check_skew(service, at_us, basic, failure))
        return false;
    switch (kms_store_credential_find(service->store, a->access_key_id, credential)) {
    case STORE_OK:
        break;
    case STORE_ABSENT:
        return unknown_token(failure);
    case STORE_EXISTS:
    case STORE_FAILED:
        return kms_fail_type(failure, "KMSInternalException");
    }
    return check_token(service, request, credential, failure) &&
           check_signature(request, a, basic, buffer_bytes(&credential->secret_access_key),
                           failure);
}

bool kms_authenticate(struct kms_service *service, const char *name,
                      const struct kms_request *request, struct kms_caller *caller,
                      struct kms_failure *failure)
{
    size_t count = 0;
    struct bytes header = kms_request_header(request, "authorization", &count);
    struct authorization a;
    if (count == 0)
        return kms_fail(failure, "MissingAuthenticationTokenException",
                        "Missing Authentication Token");
    if (count > 1)
        return kms_fail(failure, "IncompleteSignatureException",
                        "Header 'authorization' occurs %zu times.", count);
    if (!parse_authorization(&a, header, failure))
        return false;
    struct kms_credential credential;
    kms_credential_init(&credential);
    bool ok = check(service, name, request, &a, &credential, failure) &&
              (kms_principal_account(credential.principal, caller->account) ||
               kms_fail_type(failure, "KMSInternalException"));
    if (ok)
        memcpy(caller->arn, credential.principal, sizeof caller->arn);
    kms_credential_clear(&credential);
    return ok;
}
