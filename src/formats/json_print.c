/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/json_print.h"

#include "base/hex.h"

void json_hex(struct json_writer *w, const char *name, struct bytes bytes)
{
    json_begin(w, name);
    buffer_byte(w->out, '"');
    uint8_t *room = bytes.len > SIZE_MAX / 2 ? NULL : buffer_reserve(w->out, 2 * bytes.len);
    if (room == NULL) {
        w->out->failed = true;
        return;
    }
    hex_encode((char *)room, bytes);
    buffer_commit(w->out, 2 * bytes.len);
    buffer_byte(w->out, '"');
}

void json_text_named(struct json_writer *w, struct bytes name, struct bytes text)
{
    json_begin(w, NULL);
    json_put_string(w->out, name);
    buffer_text(w->out, ": ");
    json_put_string(w->out, text);
}

static void put_line(struct buffer *out, size_t depth)
{
    buffer_byte(out, '\n');
    for (size_t i = 0; i < depth; i++)
        buffer_text(out, "  ");
}

/* Copies a string with its quotes; returns the offset after it. */
static size_t put_quoted(struct buffer *out, struct bytes text, size_t at)
{
    size_t end = at + 1;
    while (end < text.len && text.at[end] != '"')
        end += text.at[end] == '\\' ? 2 : 1;
    end = end < text.len ? end + 1 : text.len;
    buffer_append(out, bytes_of(text.at + at, end - at));
    return end;
}

/* Begins an object or array; returns the offset after what was copied. One that is empty stays on
 * the line. */
static size_t put_opening(struct buffer *out, struct bytes text, size_t at, size_t *depth)
{
    uint8_t next = at + 1 < text.len ? text.at[at + 1] : 0;
    bool empty = next == '}' || next == ']';
    buffer_append(out, bytes_of(text.at + at, empty ? 2 : 1));
    if (!empty)
        put_line(out, ++*depth);
    return at + (empty ? 2 : 1);
}

void json_indented(struct buffer *out, struct bytes compact)
{
    size_t depth = 0, i = 0;
    while (i < compact.len) {
        uint8_t c = compact.at[i];
        if (c == '"') {
            i = put_quoted(out, compact, i);
            continue;
        }
        if (c == '{' || c == '[') {
            i = put_opening(out, compact, i, &depth);
            continue;
        }
        if ((c == '}' || c == ']') && depth > 0)
            put_line(out, --depth);
        buffer_byte(out, c);
        i++;
        if (c == ',') {
            put_line(out, depth);
            i += i < compact.len && compact.at[i] == ' ' ? 1 : 0; /* the line's end separates */
        }
    }
}
