/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/configure_request.h"

static bool wrong(struct error *err, const char *what)
{
    return error_set(err, ERROR_CONFIGURE, "%s", what);
}

static bool known_only(const struct json *doc, json_value object, const char *const *known,
                       struct error *err)
{
    for (json_value m = json_first(doc, object); m != JSON_NONE; m = json_next(doc, object, m)) {
        bool found = false;
        for (const char *const *k = known; *k != NULL && !found; k++)
            found = json_string_is(doc, m, *k);
        if (!found)
            return error_set(err, ERROR_UNKNOWN_MEMBER, "configure has an unknown member");
    }
    return true;
}

/* {"access_key_id", "secret_access_key", "session_token"?, "expiration"?} */
static bool read_credentials(struct kms_credentials *c, const struct json *doc, json_value v,
                             struct error *err)
{
    static const char *const known[] = {"access_key_id", "secret_access_key", "session_token",
                                        "expiration", NULL};
    const struct {
        char *at;
        size_t size;
    } out[] = {
        {c->access_key_id, sizeof c->access_key_id},
        {c->secret_access_key, sizeof c->secret_access_key},
        {c->session_token, sizeof c->session_token},
        {c->expiration, sizeof c->expiration},
    };
    if (json_type(doc, v) != JSON_OBJECT)
        return wrong(err, "credentials must be an object");
    if (!known_only(doc, v, known, err))
        return false;
    bool strings = true;
    for (size_t i = 0; i < ARRAY_LEN(out); i++) {
        json_value member = json_member(doc, v, known[i]);
        strings = strings &&
                  (member == JSON_NONE || json_copy_string(doc, member, out[i].at, out[i].size));
    }
    return (strings && kms_credentials_valid(c)) ||
           wrong(err, "credentials need access_key_id and secret_access_key, strings without "
                      "white space; session_token and expiration are optional");
}

static bool read_wrapped(struct buffer *wrapped, const struct json *doc, json_value v,
                         struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, KMS_WRAPPED_TEXT_MAX);
    return (json_string(doc, v, &text) && kms_decode_wrapped(wrapped, buffer_bytes(&text)) &&
            wrapped->len > 0) ||
           wrong(err, "wrapped_tsk " KMS_WRAPPED_FORM);
}

bool configure_read(struct initial_secrets *out, const struct json *doc, struct error *err)
{
    static const char *const known[] = {"op",          "credentials",        "region",
                                        "wrapped_tsk", "encryption_context", NULL};
    json_value credentials = json_member(doc, 0, "credentials");
    json_value wrapped = json_member(doc, 0, "wrapped_tsk");
    if (!known_only(doc, 0, known, err))
        return false;
    if (credentials == JSON_NONE && wrapped == JSON_NONE)
        return wrong(err, "configure needs credentials, wrapped_tsk, or both");
    return (credentials == JSON_NONE ||
            read_credentials(&out->credentials, doc, credentials, err)) &&
           (wrapped == JSON_NONE || read_wrapped(&out->wrapped, doc, wrapped, err));
}
