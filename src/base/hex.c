/* SPDX-License-Identifier: Apache-2.0 */
#include "base/hex.h"

/* 0..15 to '0'..'9', 'a'..'f': the second term is 39 exactly when nibble > 9. */
static char digit_of(unsigned nibble)
{
    return (char)(nibble + '0' + (((9u - nibble) >> 8) & 39u));
}

void hex_encode(char *out, struct bytes in)
{
    for (size_t i = 0; i < in.len; i++) {
        out[2 * i] = digit_of(in.at[i] >> 4);
        out[2 * i + 1] = digit_of(in.at[i] & 15u);
    }
}

/* All ones when low <= c <= high, else zero; arguments below 2^8. */
static unsigned within(unsigned c, unsigned low, unsigned high)
{
    return ~(((c - low) | (high - c)) >> 8) & 0xffu;
}

/* The value of a digit; bit 8 is set when it is none. */
static unsigned value_of(unsigned c)
{
    unsigned decimal = within(c, '0', '9');
    unsigned letter = within(c | 32u, 'a', 'f');
    unsigned value = (decimal & (c - '0')) | (letter & ((c | 32u) - 'a' + 10u));
    return (value & 15u) | (~(decimal | letter) & 0xffu) << 8;
}

bool hex_decode(uint8_t *out, struct bytes text)
{
    if (text.len % 2 != 0)
        return false;
    unsigned bad = 0;
    for (size_t i = 0; i < text.len / 2; i++) {
        unsigned high = value_of(text.at[2 * i]);
        unsigned low = value_of(text.at[2 * i + 1]);
        bad |= (high | low) >> 8;
        out[i] = (uint8_t)(high << 4 | (low & 15u));
    }
    return bad == 0;
}
