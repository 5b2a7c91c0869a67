/* SPDX-License-Identifier: Apache-2.0 */
#include "host/wrapped.h"

#include <stdlib.h>

#include "base/base64.h"
#include "codec/json.h"
#include "codec/utf8.h"
#include "formats/text.h"
#include "host/report.h"
#include "system/file.h"

#define BLOB       "CiphertextBlob"
#define TSK_SIZE   32 /* of a session key: no CiphertextBlob is so short */
#define TSK_DIGITS 44 /* of base64, for so many bytes */
#define HEX_LEAST  64 /* so many hex digits and nothing else are not base64 by chance */

static bool is(struct error *err, const char *origin, const char *what)
{
    return error_set(err, ERROR_NO_WRAPPED_TSK, "%.200s is %s", origin, what);
}

static bool begins(struct bytes text, const char *with)
{
    size_t len = strlen(with);
    return text.len >= len && memcmp(text.at, with, len) == 0;
}

/* UTF-8 without control characters. */
static bool is_text(struct bytes given)
{
    const uint8_t *at = given.at, *end = given.at + given.len;
    while (at < end) {
        bool control = (*at < 0x20 && !text_is_blank(*at)) || *at == 0x7f;
        unsigned len = control ? 0 : *at < 0x80 ? 1 : utf8_length(at, end);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

static bool is_hex(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++)
        if (strchr("0123456789abcdefABCDEF", text.at[i]) == NULL)
            return false;
    return text.len >= HEX_LEAST;
}

static bool check_size(size_t len, const char *origin, struct error *err)
{
    if (len == TSK_SIZE)
        return is(err, origin, "a key of 32 bytes, not wrapped: keep it secret, or wrap a new one");
    return len <= WRAPPED_TSK_MAX || is(err, origin, "too long for a " BLOB);
}

/* Appends base64 without the blanks at which it was broken. */
static bool put_base64(struct buffer *out, struct bytes text, const char *origin, const char *what,
                       struct error *err)
{
    BUFFER_AUTO plain;
    BUFFER_AUTO blob;
    buffer_init(&plain, WRAPPED_FILE_MAX);
    buffer_init(&blob, WRAPPED_FILE_MAX);
    for (size_t i = 0; i < text.len; i++)
        if (!text_is_blank(text.at[i]))
            buffer_byte(&plain, text.at[i]);
    if (is_hex(buffer_bytes(&plain)))
        return is(err, origin, "hex, not base64");
    if (plain.failed || !base64_decode(&blob, buffer_bytes(&plain)))
        return is(err, origin, what);
    if (blob.len == 0)
        return is(err, origin, "empty");
    if (!check_size(blob.len, origin, err))
        return false;
    buffer_append(out, buffer_bytes(&plain));
    return !out->failed || error_code(err, ERROR_MEMORY);
}

/* --- one form each --- */

static bool from_json(struct buffer *out, struct bytes text, const char *origin, bool *plaintext,
                      struct error *err)
{
    struct json doc;
    struct error why;
    BUFFER_AUTO value;
    buffer_init(&value, WRAPPED_FILE_MAX);
    json_init(&doc, JSON_DEPTH);
    bool parsed = json_parse(&doc, text, &why);
    if (parsed) {
        json_value blob = json_type(&doc, 0) == JSON_STRING ? 0 : json_member(&doc, 0, BLOB);
        *plaintext = json_member(&doc, 0, "Plaintext") != JSON_NONE;
        if (blob != JSON_NONE && !json_string(&doc, blob, &value))
            buffer_reset(&value); /* not a text */
    }
    json_clear(&doc);
    if (!parsed)
        return is(err, origin, "neither base64 nor valid JSON");
    if (value.len == 0)
        return is(err, origin, "JSON without a " BLOB);
    return put_base64(out, buffer_bytes(&value), origin, "JSON whose " BLOB " is not base64", err);
}

/* The CLI prints the fields in the order of their names, so the blob comes first. */
static bool from_fields(struct buffer *out, struct bytes text, const char *origin, bool *plaintext,
                        struct error *err)
{
    struct bytes rest = text, blob = text_trim(text_cut(&rest, '\t'));
    bool key = false;
    while (rest.len > 0) {
        struct bytes field = text_trim(text_cut(&rest, '\t'));
        key = key || begins(field, "arn:");
        *plaintext = *plaintext || (field.len == TSK_DIGITS && field.at[TSK_DIGITS - 1] == '=');
    }
    if (!key)
        return is(err, origin, "text of several fields, none of them the ARN of a key");
    return put_base64(out, blob, origin, "text whose first field is not base64", err);
}

static bool from_lines(struct buffer *out, struct bytes text, const char *origin, bool *plaintext,
                       struct error *err)
{
    struct bytes line, blob = {0};
    while (text_line(&text, &line)) {
        line = text_trim(line);
        if (begins(line, "- ")) /* --output yaml-stream */
            line = bytes_from(line, 2);
        struct bytes name = text_cut(&line, ':');
        if (bytes_equal_text(name, BLOB))
            blob = text_unquote(text_trim(line));
        *plaintext = *plaintext || bytes_equal_text(name, "Plaintext");
    }
    return put_base64(out, blob, origin, "YAML whose " BLOB " is not base64", err);
}

static bool has(struct bytes text, const char *needle)
{
    return memmem(text.at, text.len, needle, strlen(needle)) != NULL;
}

static bool from_text(struct buffer *out, struct bytes text, const char *origin, bool *plaintext,
                      struct error *err)
{
    if (begins(text, "{") || begins(text, "[") || begins(text, "\""))
        return from_json(out, text, origin, plaintext, err);
    if (has(text, BLOB ":"))
        return from_lines(out, text, origin, plaintext, err);
    if (has(text, "|") && has(text, BLOB))
        return is(err, origin, "a table");
    if (has(text, "\t"))
        return from_fields(out, text, origin, plaintext, err);
    if (has(text, " "))
        return is(err, origin, "text of several words, not base64");
    return put_base64(out, text, origin, "text, but not base64", err);
}

bool wrapped_read(struct buffer *out, struct bytes given, const char *origin, bool *plaintext,
                  struct error *err)
{
    *plaintext = false;
    if (begins(given, "\xff\xfe") || begins(given, "\xfe\xff"))
        return is(err, origin, "text in UTF-16; write it in ASCII");
    if (begins(given, "\xef\xbb\xbf")) /* a byte order mark */
        given = bytes_from(given, 3);
    struct bytes text = text_trim(given);
    if (text.len == 0)
        return is(err, origin, "empty");
    if (is_text(given))
        return from_text(out, text, origin, plaintext, err);
    if (!check_size(given.len, origin, err))
        return false;
    base64_encode(out, given);
    return !out->failed || error_code(err, ERROR_MEMORY);
}

/* --- where it comes from --- */

static bool read_noted(struct buffer *out, struct bytes given, const char *origin,
                       struct error *err)
{
    bool plaintext;
    if (!wrapped_read(out, given, origin, &plaintext, err))
        return false;
    if (plaintext)
        report_note("%.200s also holds the session key in plaintext, with which this machine can "
                    "open every state; wrap a new one: aws kms "
                    "generate-data-key-without-plaintext",
                    origin);
    return true;
}

bool wrapped_read_file(struct buffer *out, const char *path, struct error *err)
{
    BUFFER_AUTO given;
    buffer_init_secret(&given, WRAPPED_FILE_MAX);
    const char *origin = strcmp(path, "-") == 0 ? "standard input" : path;
    return file_read(path, &given, err) && read_noted(out, buffer_bytes(&given), origin, err);
}

bool wrapped_read_variable(struct buffer *out, struct error *err)
{
    const char *value = getenv("ENCRYPTED_TSK");
    return value == NULL || value[0] == '\0' ||
           read_noted(out, bytes_text(value), "ENCRYPTED_TSK", err);
}
