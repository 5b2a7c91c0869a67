/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/cbor.h"

#include "codec/cbor_head.h"

/* The head with its argument in the shortest form. */
static void put_head(struct buffer *out, enum cbor_major major, uint64_t argument)
{
    uint8_t type = (uint8_t)(major << 5);
    if (argument < CBOR_INFO_1_BYTE) {
        buffer_byte(out, (uint8_t)(type | argument));
        return;
    }
    unsigned width_log2 = argument <= UINT8_MAX    ? 0
                          : argument <= UINT16_MAX ? 1
                          : argument <= UINT32_MAX ? 2
                                                   : 3;
    buffer_byte(out, (uint8_t)(type | (CBOR_INFO_1_BYTE + width_log2)));
    for (unsigned left = 1u << width_log2; left > 0; left--)
        buffer_byte(out, (uint8_t)(argument >> (8 * (left - 1))));
}

void cbor_put_unsigned(struct buffer *out, uint64_t value)
{
    put_head(out, CBOR_MAJOR_UNSIGNED, value);
}

void cbor_put_integer(struct buffer *out, int64_t value)
{
    if (value >= 0)
        put_head(out, CBOR_MAJOR_UNSIGNED, (uint64_t)value);
    else
        put_head(out, CBOR_MAJOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_put_bytes(struct buffer *out, struct bytes bytes)
{
    put_head(out, CBOR_MAJOR_BYTES, bytes.len);
    buffer_append(out, bytes);
}

void cbor_put_text(struct buffer *out, const char *text)
{
    cbor_put_text_bytes(out, bytes_text(text));
}

void cbor_put_text_bytes(struct buffer *out, struct bytes utf8)
{
    put_head(out, CBOR_MAJOR_TEXT, utf8.len);
    buffer_append(out, utf8);
}

void cbor_put_array(struct buffer *out, uint64_t count)
{
    put_head(out, CBOR_MAJOR_ARRAY, count);
}

void cbor_put_map(struct buffer *out, uint64_t pairs)
{
    put_head(out, CBOR_MAJOR_MAP, pairs);
}

void cbor_put_map_indefinite(struct buffer *out)
{
    buffer_byte(out, CBOR_MAJOR_MAP << 5 | CBOR_INFO_INDEFINITE);
}

void cbor_put_break(struct buffer *out)
{
    buffer_byte(out, CBOR_BREAK_BYTE);
}

void cbor_put_boolean(struct buffer *out, bool value)
{
    buffer_byte(out, CBOR_MAJOR_OTHER << 5 | (value ? CBOR_SIMPLE_TRUE : CBOR_SIMPLE_FALSE));
}

void cbor_put_null(struct buffer *out)
{
    buffer_byte(out, CBOR_MAJOR_OTHER << 5 | CBOR_SIMPLE_NULL);
}
