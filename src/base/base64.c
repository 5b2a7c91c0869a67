/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buffer *out, struct bytes in)
{
    if (in.len > SIZE_MAX / 2) {
        out->failed = true;
        return;
    }
    size_t size = (in.len + 2) / 3 * 4;
    uint8_t *to = buffer_reserve(out, size);
    if (to == NULL)
        return;
    for (size_t i = 0; i < in.len; i += 3) {
        size_t have = in.len - i;
        uint32_t group = (uint32_t)in.at[i] << 16;
        if (have > 1)
            group |= (uint32_t)in.at[i + 1] << 8;
        if (have > 2)
            group |= in.at[i + 2];
        *to++ = (uint8_t)alphabet[group >> 18];
        *to++ = (uint8_t)alphabet[group >> 12 & 63];
        *to++ = (uint8_t)(have > 1 ? alphabet[group >> 6 & 63] : '=');
        *to++ = (uint8_t)(have > 2 ? alphabet[group & 63] : '=');
    }
    buffer_commit(out, size);
}

static int value_of(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes a group of four digits, of which the last pads are '=', to 24 bits; -1 if it is bad. */
static int32_t decode_group(const uint8_t *at, unsigned pads)
{
    int32_t group = 0;
    for (unsigned i = 0; i < 4; i++) {
        int value = i < 4 - pads ? value_of(at[i]) : 0;
        if (value < 0)
            return -1;
        group = group << 6 | value;
    }
    /* The bits that no byte takes must be zero, or two texts would decode to the same bytes. */
    return (group & ((1 << 8 * pads) - 1)) != 0 ? -1 : group;
}

bool base64_decode(struct buffer *out, struct bytes text)
{
    if (text.len % 4 != 0)
        return false;
    if (text.len == 0)
        return !out->failed;
    unsigned pads = text.at[text.len - 1] != '=' ? 0 : text.at[text.len - 2] != '=' ? 1 : 2;
    size_t size = text.len / 4 * 3 - pads;
    uint8_t *to = buffer_reserve(out, size + pads);
    if (to == NULL)
        return false;
    for (size_t i = 0; i < text.len; i += 4) {
        int32_t group = decode_group(text.at + i, i + 4 == text.len ? pads : 0);
        if (group < 0)
            return false;
        *to++ = (uint8_t)(group >> 16);
        *to++ = (uint8_t)(group >> 8 & 255);
        *to++ = (uint8_t)(group & 255);
    }
    buffer_commit(out, size);
    return true;
}
