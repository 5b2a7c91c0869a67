/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/configure_request.h"

#include "base/base64.h"
#include "base/clock.h"
#include "codec/json.h"

static bool wrong(struct error *err, const char *what)
{
    return error_set(err, ERROR_CONFIGURE, "%s", what);
}

/* A member of an object of at most size - 1 printable ASCII bytes; absent leaves *out empty. */
static bool read_text(const struct json *doc, json_value object, const char *member, char *out,
                      size_t size)
{
    json_value v = json_member(doc, object, member);
    out[0] = '\0';
    if (v == JSON_NONE)
        return true;
    BUFFER_AUTO text;
    buffer_init_secret(&text, size - 1);
    if (!json_string(doc, v, &text))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= 0x20 || text.at[i] >= 0x7f)
            return false;
    if (text.len > 0)
        memcpy(out, text.at, text.len);
    out[text.len] = '\0';
    return true;
}

static bool known_only(const struct json *doc, json_value object, const char *const *known,
                       struct error *err)
{
    for (json_value m = json_first(doc, object); m != JSON_NONE; m = json_next(doc, object, m)) {
        bool found = false;
        for (const char *const *k = known; *k != NULL && !found; k++)
            found = json_string_is(doc, m, *k);
        if (!found)
            return error_set(err, ERROR_UNKNOWN_MEMBER, "configure has a member that is not known");
    }
    return true;
}

/* {"access_key_id", "secret_access_key", "session_token"?, "expiration"?} */
static bool read_credentials(struct configure_request *r, const struct json *doc, json_value v,
                             struct error *err)
{
    static const char *const known[] = {"access_key_id", "secret_access_key", "session_token",
                                        "expiration", NULL};
    struct kms_credentials *c = &r->credentials;
    char expiration[40];
    if (json_type(doc, v) != JSON_OBJECT)
        return wrong(err, "credentials must be an object");
    if (!known_only(doc, v, known, err))
        return false;
    if (!read_text(doc, v, "access_key_id", c->access_key_id, sizeof c->access_key_id) ||
        !read_text(doc, v, "secret_access_key", c->secret_access_key,
                   sizeof c->secret_access_key) ||
        !read_text(doc, v, "session_token", c->session_token, sizeof c->session_token) ||
        c->access_key_id[0] == '\0' || c->secret_access_key[0] == '\0')
        return wrong(err, "credentials need access_key_id and secret_access_key, strings without "
                          "white space; session_token and expiration are optional");
    c->expires_us = INT64_MAX;
    if (json_member(doc, v, "expiration") != JSON_NONE &&
        (!read_text(doc, v, "expiration", expiration, sizeof expiration) ||
         !clock_parse(bytes_text(expiration), &c->expires_us)))
        return wrong(err, "expiration must be a time such as 2026-11-22T13:16:23Z");
    r->has_credentials = true;
    return kms_credentials_fresh(c, err);
}

static bool read_wrapped(struct configure_request *r, const struct json *doc, json_value v,
                         struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, KMS_WRAPPED_MAX / 3 * 4 + 4);
    if (!json_string(doc, v, &text) || !base64_decode(&r->wrapped, buffer_bytes(&text)) ||
        r->wrapped.len == 0)
        return wrong(err, "wrapped_tsk must be base64 of 1 to 6144 bytes");
    return true;
}

/* Whether the object holds the members of b's root, which are strings, in any order. */
static bool same_strings(const struct json *a, json_value object, const struct json *b)
{
    size_t left = 0;
    for (json_value m = json_first(b, 0); m != JSON_NONE; m = json_next(b, 0, m))
        left++;
    for (json_value m = json_first(a, object); m != JSON_NONE; m = json_next(a, object, m)) {
        json_value n = json_first(b, 0);
        while (n != JSON_NONE && !json_same_string(a, m, b, n))
            n = json_next(b, 0, n);
        if (n == JSON_NONE || !json_same_string(a, m + 1, b, n + 1))
            return false;
        left--;
    }
    return left == 0;
}

static bool check_context(const struct json *doc, json_value v, const struct config *config,
                          struct error *err)
{
    struct json pinned;
    json_init(&pinned, JSON_DEPTH);
    bool same = json_type(doc, v) == JSON_OBJECT &&
                json_parse(&pinned, buffer_bytes(&config->encryption_context), err) &&
                same_strings(doc, v, &pinned);
    json_clear(&pinned);
    return same || error_set(err, ERROR_CONTEXT_MISMATCH,
                             "the encryption context is not the one in the configuration; the "
                             "pinned one is always used, leave the member out or correct it");
}

static bool check_region(const struct json *doc, json_value v, const struct config *config,
                         struct error *err)
{
    return json_string_is(doc, v, config->region) ||
           error_set(err, ERROR_REGION_MISMATCH, "the region of the pinned KMS key is %s",
                     config->region);
}

static bool read_all(struct configure_request *r, const struct json *doc,
                     const struct config *config, struct error *err)
{
    static const char *const known[] = {"op",          "credentials",        "region",
                                        "wrapped_tsk", "encryption_context", NULL};
    json_value credentials = json_member(doc, 0, "credentials");
    json_value region = json_member(doc, 0, "region");
    json_value wrapped = json_member(doc, 0, "wrapped_tsk");
    json_value context = json_member(doc, 0, "encryption_context");
    if (!known_only(doc, 0, known, err))
        return false;
    if (credentials == JSON_NONE && wrapped == JSON_NONE)
        return wrong(err, "configure needs credentials, wrapped_tsk, or both");
    return (region == JSON_NONE || check_region(doc, region, config, err)) &&
           (context == JSON_NONE || check_context(doc, context, config, err)) &&
           (credentials == JSON_NONE || read_credentials(r, doc, credentials, err)) &&
           (wrapped == JSON_NONE || read_wrapped(r, doc, wrapped, err));
}

bool configure_parse(struct configure_request *request, struct bytes content,
                     const struct config *config, struct error *err)
{
    struct json doc;
    json_init(&doc, config->limits.json_depth);
    request->has_credentials = false;
    buffer_init(&request->wrapped, KMS_WRAPPED_MAX + 2); /* room that decoding may pad */
    bool ok = json_parse(&doc, content, err) && read_all(request, &doc, config, err);
    if (ok && request->wrapped.len > KMS_WRAPPED_MAX)
        ok = wrong(err, "wrapped_tsk must be base64 of 1 to 6144 bytes");
    json_clear(&doc);
    return ok;
}
