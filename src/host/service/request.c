/* SPDX-License-Identifier: Apache-2.0 */
#include "host/service/request.h"

#include "codec/json_writer.h"
#include "formats/text.h"
#include "system/file.h"

static bool too_many(struct error *err)
{
    return error_set(err, ERROR_USAGE, "more than one payload is given");
}

bool payload_take_path(void *place, const char *option, const char *text, struct error *err)
{
    const char **path = place;
    (void)option;
    if (*path != NULL)
        return too_many(err);
    *path = text;
    return true;
}

bool payload_take_dash(void *place, const char *option, const char *text, struct error *err)
{
    return strcmp(text, "-") == 0
               ? payload_take_path(place, option, text, err)
               : error_set(err, ERROR_USAGE,
                           "unexpected argument: a payload is given with --payload, or is -");
}

bool payload_check(const struct payload_source *source, struct error *err)
{
    return source->text == NULL || source->path == NULL || too_many(err);
}

static bool is_hex(struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
    }
    return text.len > 0;
}

/* Text that is not one whole JSON value could add members to the request: it is refused here. */
static bool check_json(struct bytes text, struct error *err)
{
    struct json doc;
    struct error parse = {0};
    json_init(&doc, JSON_DEPTH_MAX);
    bool good = json_parse(&doc, text, &parse);
    json_clear(&doc);
    if (!good)
        return error_set(err, parse.code, "the payload is not valid JSON: %.200s",
                         parse.cause[0] != '\0' ? parse.cause : error_text(parse.code));
    return true;
}

/* Appends the payload to the request itself. Only bare hex moves, by one byte, for its quote. */
static bool append_payload(struct buffer *out, const struct payload_source *source, size_t bare_hex,
                           struct error *err)
{
    size_t start = out->len;
    if (source->text != NULL)
        buffer_text(out, source->text);
    else if (!file_read(source->path, out, err))
        return false;
    while (!out->failed && out->len > start && text_is_blank(out->at[out->len - 1]))
        out->len--;
    if (out->failed)
        return true; /* reported by the caller */
    struct bytes payload = bytes_from(buffer_bytes(out), start);
    if (payload.len < bare_hex || !is_hex(payload))
        return check_json(payload, err);
    buffer_byte(out, '"');
    buffer_byte(out, '"');
    if (!out->failed) {
        memmove(out->at + start + 1, out->at + start, payload.len);
        out->at[start] = '"';
    }
    return true;
}

bool request_build(struct buffer *out, const char *mode, const struct payload_source *source,
                   size_t bare_hex, const char *absent, struct error *err)
{
    buffer_reset(out);
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "mode", mode);
    if (source->text != NULL || source->path != NULL) {
        buffer_text(out, ", \"payload\": ");
        if (!append_payload(out, source, bare_hex, err))
            return false;
    } else if (absent != NULL) {
        json_verbatim(&w, "payload", bytes_text(absent));
    }
    json_end(&w);
    if (out->failed)
        return error_set(err, ERROR_USAGE,
                         "the request is longer than the frame limit of %zu bytes", out->limit);
    return true;
}

bool request_ciphertext(const struct client *client, struct buffer *out, struct error *err)
{
    const struct json *answer = &client->answer;
    json_value value = json_member(answer, 0, "ciphertext");
    size_t start = out->len;
    if (value == JSON_NONE || json_type(answer, value) != JSON_STRING ||
        !json_string(answer, value, out) || !is_hex(bytes_from(buffer_bytes(out), start)))
        return error_set(err, ERROR_FORMAT, "the answer has no ciphertext in hex");
    return true;
}
