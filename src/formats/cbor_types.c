/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/cbor_types.h"

#include "codec/cbor_internal.h"

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
    struct cbor_reader ahead = *r;
    struct cbor_head head;
    if (!cbor_read_head(&ahead, &head))
        return CBOR_INVALID;
    if (head.major != CBOR_SIMPLE)
        return head.major;
    if (head.info == CBOR_INFO_INDEFINITE)
        return CBOR_BREAK;
    return head.info <= CBOR_INFO_1_BYTE ? CBOR_SIMPLE : CBOR_FLOAT;
}

uint64_t cbor_unsigned(struct cbor_reader *r)
{
    return cbor_read_definite(r, CBOR_UNSIGNED);
}

struct cbor_items cbor_enter_array(struct cbor_reader *r)
{
    return cbor_enter(r, CBOR_ARRAY, 1);
}

int64_t cbor_integer(struct cbor_reader *r)
{
    struct cbor_head head;
    bool is_integer = cbor_read_head(r, &head) &&
                      (head.major == CBOR_UNSIGNED || head.major == CBOR_NEGATIVE) &&
                      head.argument <= INT64_MAX;
    if (!is_integer) {
        r->failed = true;
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
    /* A float's argument could equal a simple value: ask for the type first. */
    bool is_simple = cbor_peek(r) == CBOR_SIMPLE;
    uint64_t value = cbor_read_definite(r, CBOR_SIMPLE);
    if (is_simple && !r->failed && (value == CBOR_FALSE || value == CBOR_TRUE))
        return value == CBOR_TRUE;
    r->failed = true;
    return false;
}

bool cbor_null(struct cbor_reader *r)
{
    if (r->failed || r->at == r->input.len || r->input.at[r->at] != (CBOR_SIMPLE << 5 | CBOR_NULL))
        return false;
    r->at++;
    return true;
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

void cbor_put_map_indefinite(struct buffer *out)
{
    buffer_byte(out, CBOR_MAP << 5 | CBOR_INFO_INDEFINITE);
}

void cbor_put_break(struct buffer *out)
{
    buffer_byte(out, CBOR_SIMPLE << 5 | CBOR_INFO_INDEFINITE);
}

void cbor_put_boolean(struct buffer *out, bool value)
{
    cbor_put_head(out, CBOR_SIMPLE, value ? CBOR_TRUE : CBOR_FALSE);
}
