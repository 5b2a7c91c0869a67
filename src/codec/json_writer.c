/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json_writer.h"

#include "base/base64.h"
#include "codec/json_plain.h"
#include "codec/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

struct json_writer json_writer(struct buffer *out)
{
    return (struct json_writer){.out = out};
}

static void separate(struct json_writer *w)
{
    uint32_t level = UINT32_C(1) << w->depth;
    if ((w->has_items & level) != 0)
        buffer_text(w->out, ", ");
    w->has_items |= level;
}

/* Appends the escape of one byte that cannot stand for itself. */
static void put_escape(struct buffer *out, uint8_t c)
{
    static const char letters[] = "\"\\bfnrt", bytes[] = "\"\\\b\f\n\r\t";
    const char *found = c == 0 ? NULL : strchr(bytes, c);
    if (found != NULL)
        buffer_append(out, bytes_of((char[]){'\\', letters[found - bytes]}, 2));
    else
        buffer_printf(out, "\\u%04x", c);
}

void json_put_string(struct buffer *out, struct bytes text)
{
    buffer_byte(out, '"');
    const uint8_t *run = text.at, *at = text.at, *end = text.len > 0 ? at + text.len : at;
    for (;;) {
        at = json_skip_plain(at, end);
        if (at == end)
            break;
        unsigned len = *at >= 0x80 ? utf8_length(at, end) : 0;
        if (len > 0) {
            at += len;
            continue;
        }
        buffer_append(out, bytes_of(run, (size_t)(at - run)));
        if (*at >= 0x80)
            buffer_text(out, REPLACEMENT);
        else
            put_escape(out, *at);
        run = ++at;
    }
    buffer_append(out, bytes_of(run, (size_t)(at - run)));
    buffer_byte(out, '"');
}

void json_begin(struct json_writer *w, const char *name)
{
    separate(w);
    if (name == NULL)
        return;
    json_put_string(w->out, bytes_text(name));
    buffer_text(w->out, ": ");
}

static void open_level(struct json_writer *w, const char *name, bool array)
{
    json_begin(w, name);
    buffer_byte(w->out, array ? '[' : '{');
    if (w->depth + 1 == JSON_WRITER_DEPTH) {
        w->out->failed = true;
        return;
    }
    uint32_t level = UINT32_C(1) << ++w->depth;
    w->is_array = array ? w->is_array | level : w->is_array & ~level;
    w->has_items &= ~level;
}

void json_object(struct json_writer *w, const char *name)
{
    open_level(w, name, false);
}

void json_array(struct json_writer *w, const char *name)
{
    open_level(w, name, true);
}

void json_end(struct json_writer *w)
{
    if (w->depth == 0) {
        w->out->failed = true;
        return;
    }
    buffer_byte(w->out, (w->is_array >> w->depth & 1) != 0 ? ']' : '}');
    w->depth--;
}

void json_text(struct json_writer *w, const char *name, const char *text)
{
    json_text_bytes(w, name, bytes_text(text));
}

void json_text_bytes(struct json_writer *w, const char *name, struct bytes text)
{
    json_begin(w, name);
    json_put_string(w->out, text);
}

void json_base64(struct json_writer *w, const char *name, struct bytes bytes)
{
    json_begin(w, name);
    buffer_byte(w->out, '"');
    base64_encode(w->out, bytes);
    buffer_byte(w->out, '"');
}

void json_integer(struct json_writer *w, const char *name, int64_t value)
{
    json_begin(w, name);
    char digits[20]; /* -9223372036854775808, written from the end */
    size_t at = sizeof digits;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    do
        digits[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) > 0);
    if (value < 0)
        digits[--at] = '-';
    buffer_append(w->out, bytes_of(digits + at, sizeof digits - at));
}

void json_boolean(struct json_writer *w, const char *name, bool value)
{
    json_begin(w, name);
    buffer_text(w->out, value ? "true" : "false");
}

void json_null(struct json_writer *w, const char *name)
{
    json_begin(w, name);
    buffer_text(w->out, "null");
}

void json_verbatim(struct json_writer *w, const char *name, struct bytes json)
{
    json_begin(w, name);
    buffer_append(w->out, json);
}
