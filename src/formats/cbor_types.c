/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/cbor_types.h"

/* The heads of a map of indefinite length, and of what ends it. */
#define MAP_INDEFINITE 0xbf
#define BREAK          0xff

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
    struct cbor_reader ahead = *r;
    struct cbor_head head;
    if (!cbor_read_head(&ahead, &head))
        return CBOR_INVALID;
    return head.major == CBOR_SIMPLE && head.indefinite ? CBOR_BREAK : head.major;
}

uint64_t cbor_unsigned(struct cbor_reader *r)
{
    return cbor_read_definite(r, CBOR_UNSIGNED);
}

int64_t cbor_integer(struct cbor_reader *r)
{
    struct cbor_head head;
    bool is_integer =
        cbor_read_head(r, &head) && (head.major == CBOR_UNSIGNED || head.major == CBOR_NEGATIVE);
    if (!is_integer || head.argument > INT64_MAX) {
        cbor_fail(r, is_integer ? CBOR_BAD_FORM : CBOR_WRONG_TYPE);
        return 0;
    }
    int64_t value = (int64_t)head.argument;
    return head.major == CBOR_UNSIGNED ? value : -1 - value;
}

uint64_t cbor_tag(struct cbor_reader *r)
{
    return cbor_read_definite(r, CBOR_TAG);
}

bool cbor_boolean(struct cbor_reader *r)
{
    uint64_t value = cbor_read_definite(r, CBOR_SIMPLE);
    if (!r->failed && (value == CBOR_FALSE || value == CBOR_TRUE))
        return value == CBOR_TRUE;
    return cbor_fail(r, CBOR_WRONG_TYPE);
}

bool cbor_null(struct cbor_reader *r)
{
    if (r->failed || r->at == r->input.len || r->input.at[r->at] != (CBOR_SIMPLE << 5 | CBOR_NULL))
        return false;
    r->at++;
    return true;
}

const char *cbor_failure_text(enum cbor_failure failure)
{
    static const char *const texts[] = {
        [CBOR_FINE] = "nothing failed",
        [CBOR_ENDS_EARLY] = "it ends early",
        [CBOR_WRONG_TYPE] = "an item has another type than it must have",
        [CBOR_BAD_FORM] = "an item is malformed or of an unknown form",
        [CBOR_TOO_DEEP] = "it is nested too deeply",
    };
    return texts[failure];
}

void cbor_put_unsigned(struct buffer *out, uint64_t value)
{
    cbor_put_head(out, CBOR_UNSIGNED, value);
}

void cbor_put_integer(struct buffer *out, int64_t value)
{
    if (value >= 0)
        cbor_put_head(out, CBOR_UNSIGNED, (uint64_t)value);
    else
        cbor_put_head(out, CBOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_put_text_bytes(struct buffer *out, struct bytes utf8)
{
    cbor_put_head(out, CBOR_TEXT, utf8.len);
    buffer_append(out, utf8);
}

void cbor_put_array(struct buffer *out, uint64_t count)
{
    cbor_put_head(out, CBOR_ARRAY, count);
}

void cbor_put_map(struct buffer *out, uint64_t pairs)
{
    cbor_put_head(out, CBOR_MAP, pairs);
}

void cbor_put_map_indefinite(struct buffer *out)
{
    buffer_byte(out, MAP_INDEFINITE);
}

void cbor_put_break(struct buffer *out)
{
    buffer_byte(out, BREAK);
}

void cbor_put_boolean(struct buffer *out, bool value)
{
    cbor_put_head(out, CBOR_SIMPLE, value ? CBOR_TRUE : CBOR_FALSE);
}

void cbor_put_null(struct buffer *out)
{
    cbor_put_head(out, CBOR_SIMPLE, CBOR_NULL);
}
