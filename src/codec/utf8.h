/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed UTF-8 (the Unicode Standard, section 3.9, table 3-7). */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdint.h>

/* The second byte's bounds: beyond them are overlong forms, surrogates and more than U+10FFFF. */
static inline uint8_t utf8_least(uint8_t first)
{
    return first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
}

static inline uint8_t utf8_greatest(uint8_t first)
{
    return first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
}

/* The length of the well-formed sequence at at, whose first byte is >= 0x80; 0 if it is not one. */
static inline unsigned utf8_length(const uint8_t *at, const uint8_t *end)
{
    const uint8_t first = at[0];
    unsigned len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || end - at < len || at[1] < utf8_least(first) ||
        at[1] > utf8_greatest(first))
        return 0;
    for (unsigned i = 2; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

#endif
