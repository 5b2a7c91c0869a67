/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/credentials.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "codec/json.h"
#include "formats/clock_parse.h"
#include "formats/text.h"

void credentials_init(struct credentials *credentials)
{
    *credentials = (struct credentials){.expires_us = CREDENTIALS_NEVER_EXPIRE};
    buffer_init_secret(&credentials->access_key_id, CREDENTIALS_FIELD_MAX);
    buffer_init_secret(&credentials->secret_access_key, CREDENTIALS_FIELD_MAX);
    buffer_init_secret(&credentials->session_token, CREDENTIALS_FIELD_MAX);
}

void credentials_clear(struct credentials *credentials)
{
    buffer_clear(&credentials->access_key_id);
    buffer_clear(&credentials->secret_access_key);
    buffer_clear(&credentials->session_token);
}

void iso_z(char out[ISO_Z_SIZE], int64_t wall_us)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(iso, wall_us - wall_us % 1000000);
    snprintf(out, ISO_Z_SIZE, "%.19sZ", iso);
}

bool credentials_set(struct buffer *field, struct bytes text, const char *name, const char *origin,
                     struct error *err)
{
    text = text_trim(text);
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] >= 0x7f)
            return error_set(err, ERROR_CREDENTIAL_SOURCE,
                             "%s of %.200s contains a space or a character that is not ASCII", name,
                             origin);
    buffer_reset(field);
    buffer_append(field, text);
    if (field->failed || text.len == 0)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s of %.200s is %s", name, origin,
                         text.len == 0 ? "empty" : "too long");
    return true;
}

static bool take_member(struct buffer *field, const struct json *doc, const char *name,
                        bool required, const char *origin, struct error *err)
{
    json_value v = json_member(doc, 0, name);
    buffer_reset(field);
    if (v == JSON_NONE || json_type(doc, v) == JSON_NULL) {
        if (required)
            return error_set(err, ERROR_CREDENTIAL_SOURCE, "%.200s gave no %s", origin, name);
        return true;
    }
    BUFFER_AUTO text;
    buffer_init_secret(&text, CREDENTIALS_FIELD_MAX);
    if (json_type(doc, v) != JSON_STRING || !json_string(doc, v, &text))
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s of %.200s is not a string", name,
                         origin);
    if (text.len == 0 && !required)
        return true;
    return credentials_set(field, buffer_bytes(&text), name, origin, err);
}

static bool take_expiration(struct credentials *out, const struct json *doc, const char *origin,
                            struct error *err)
{
    json_value v = json_member(doc, 0, "Expiration");
    out->expires_us = CREDENTIALS_NEVER_EXPIRE;
    if (v == JSON_NONE || json_type(doc, v) == JSON_NULL)
        return true;
    BUFFER_AUTO text;
    buffer_init(&text, 64);
    if (json_type(doc, v) != JSON_STRING || !json_string(doc, v, &text) ||
        !clock_parse(buffer_bytes(&text), &out->expires_us))
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "Expiration of %.200s is not a time in ISO 8601", origin);
    return true;
}

static bool take_document(struct credentials *out, const struct json *doc, const char *token_name,
                          bool version, const char *origin, struct error *err)
{
    int64_t number;
    if (json_type(doc, 0) != JSON_OBJECT)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%.200s gave no JSON object", origin);
    json_value v = json_member(doc, 0, "Version");
    if (version && (v == JSON_NONE || !json_int64(doc, v, &number) || number != 1))
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%.200s gave no Version 1", origin);
    return take_member(&out->access_key_id, doc, "AccessKeyId", true, origin, err) &&
           take_member(&out->secret_access_key, doc, "SecretAccessKey", true, origin, err) &&
           take_member(&out->session_token, doc, token_name, false, origin, err) &&
           take_expiration(out, doc, origin, err);
}

bool credentials_from_json(struct credentials *out, struct bytes text, const char *token_name,
                           bool version, const char *origin, struct error *err)
{
    struct json doc;
    struct error parse;
    json_init(&doc, JSON_DEPTH);
    bool good = json_parse(&doc, text, &parse);
    if (!good) /* the parser's cause is an offset, which does not help here */
        error_set(err, ERROR_CREDENTIAL_SOURCE, "%.200s gave no valid JSON", origin);
    else
        good = take_document(out, &doc, token_name, version, origin, err);
    json_clear(&doc);
    return good;
}

void credentials_put(struct json_writer *w, const struct credentials *credentials)
{
    char when[ISO_Z_SIZE];
    json_text_bytes(w, "access_key_id", buffer_bytes(&credentials->access_key_id));
    json_text_bytes(w, "secret_access_key", buffer_bytes(&credentials->secret_access_key));
    if (credentials->session_token.len > 0)
        json_text_bytes(w, "session_token", buffer_bytes(&credentials->session_token));
    if (credentials->expires_us != CREDENTIALS_NEVER_EXPIRE) {
        iso_z(when, credentials->expires_us);
        json_text(w, "expiration", when);
    }
}
