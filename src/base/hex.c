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

/* Digits decoded at a time, by loops over bytes that compilers turn into vector code. */
#define DIGITS_A_TIME 64

/* Writes the value of each digit; returns 0 if all of them are hex digits. */
static unsigned values_of(uint8_t *restrict value, const uint8_t *restrict digit, size_t count)
{
    uint8_t bad = 0;
    for (size_t i = 0; i < count; i++) {
        uint8_t decimal = (uint8_t)(digit[i] - '0');
        uint8_t letter = (uint8_t)((digit[i] | 32u) - 'a');
        uint8_t is_decimal = (uint8_t) - (decimal < 10); /* all ones, or zero */
        uint8_t is_letter = (uint8_t) - (letter < 6);
        value[i] = (uint8_t)((is_decimal & decimal) | (is_letter & (letter + 10u)));
        bad |= (uint8_t) ~(is_decimal | is_letter);
    }
    return bad;
}

static void join(uint8_t *restrict out, const uint8_t *restrict value, size_t count)
{
    for (size_t i = 0; i < count; i++)
        out[i] = (uint8_t)(value[2 * i] << 4 | value[2 * i + 1]);
}

bool hex_decode(uint8_t *out, struct bytes text)
{
    uint8_t value[DIGITS_A_TIME] = {0};
    unsigned bad = 0;
    size_t at = 0;
    if (text.len % 2 != 0)
        return false;
    for (; text.len - at >= DIGITS_A_TIME; at += DIGITS_A_TIME) {
        bad |= values_of(value, text.at + at, DIGITS_A_TIME);
        join(out + at / 2, value, DIGITS_A_TIME / 2);
    }
    bad |= values_of(value, text.at + at, text.len - at);
    join(out + at / 2, value, (text.len - at) / 2);
    return bad == 0;
}
