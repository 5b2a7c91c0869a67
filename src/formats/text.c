/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/text.h"

#include "codec/utf8.h"

bool text_is_blank(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct bytes text_trim(struct bytes text)
{
    while (text.len > 0 && text_is_blank(text.at[0]))
        text = bytes_of(text.at + 1, text.len - 1);
    while (text.len > 0 && text_is_blank(text.at[text.len - 1]))
        text.len--;
    return text;
}

size_t text_find(struct bytes text, uint8_t c)
{
    const uint8_t *found = text.len > 0 ? memchr(text.at, c, text.len) : NULL;
    return found != NULL ? (size_t)(found - text.at) : text.len;
}

struct bytes text_cut(struct bytes *rest, uint8_t separator)
{
    struct bytes part = bytes_of(rest->at, text_find(*rest, separator));
    *rest = bytes_from(*rest, part.len + 1);
    return part;
}

bool text_line(struct bytes *rest, struct bytes *line)
{
    if (rest->len == 0)
        return false;
    *line = text_cut(rest, '\n');
    return true;
}

struct bytes text_paragraph(struct bytes text)
{
    const uint8_t *blank = text.len > 0 ? memmem(text.at, text.len, "\n\n", 2) : NULL;
    return blank != NULL ? bytes_of(text.at, (size_t)(blank - text.at)) : text;
}

struct bytes text_unquote(struct bytes text)
{
    uint8_t first = text.len >= 2 ? text.at[0] : 0;
    bool quoted = (first == '"' || first == '\'') && text.at[text.len - 1] == first;
    return quoted ? bytes_of(text.at + 1, text.len - 2) : text;
}

bool text_pair(struct text_pair *out, const char *text)
{
    struct bytes all = bytes_text(text);
    size_t equals = text_find(all, '=');
    if (equals == 0 || equals == all.len)
        return false;
    *out = (struct text_pair){bytes_of(all.at, equals), bytes_from(all, equals + 1)};
    return true;
}

/* What moves the cursor, colours, or turns the direction of writing: U+0080 to U+009F, U+200E,
 * U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static bool is_control(const uint8_t *at, unsigned len)
{
    if (len == 1)
        return at[0] < 0x20 || at[0] == 0x7f;
    if (len == 2)
        return at[0] == 0xc2 && at[1] < 0xa0;
    if (len != 3 || at[0] != 0xe2)
        return false;
    return (at[1] == 0x80 &&
            (at[2] == 0x8e || at[2] == 0x8f || (at[2] >= 0xa8 && at[2] <= 0xae))) ||
           (at[1] == 0x81 && at[2] >= 0xa6 && at[2] <= 0xa9);
}

void append_escaped(struct buffer *out, struct bytes text)
{
    const uint8_t *at = text.at, *end = text.at + text.len;
    while (at < end) {
        unsigned len = *at < 0x80 ? 1 : utf8_length(at, end);
        if (len > 0 && !is_control(at, len)) {
            buffer_append(out, bytes_of(at, len));
            at += len;
        } else {
            for (unsigned i = 0; i < (len == 0 ? 1 : len); i++)
                buffer_printf(out, "\\x%02x", at[i]);
            at += len == 0 ? 1 : len;
        }
    }
}
