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

void json_indented(struct buffer *out, struct bytes compact)
{
    size_t depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < compact.len; i++) {
        uint8_t c = compact.at[i], next = i + 1 < compact.len ? compact.at[i + 1] : 0;
        if (quoted && c == '\\') { /* what is escaped comes with it */
            buffer_byte(out, c);
            buffer_byte(out, next);
            i++;
            continue;
        }
        quoted ^= c == '"';
        if (!quoted && c == ' ' && i > 0 && compact.at[i - 1] == ',')
            continue; /* the line's end separates */
        if (!quoted && (c == '}' || c == ']') && depth > 0)
            put_line(out, --depth);
        buffer_byte(out, c);
        if (quoted || c == '"')
            continue;
        if ((c == '{' || c == '[') && (next == '}' || next == ']'))
            buffer_byte(out, compact.at[++i]); /* nothing in it */
        else if (c == '{' || c == '[')
            put_line(out, ++depth);
        else if (c == ',')
            put_line(out, depth);
    }
}
