/* SPDX-License-Identifier: Apache-2.0 */
/* Well-formed UTF-8: Unicode, section 3.9, table 3-7. */
#ifndef CODEC_UTF8_H
#define CODEC_UTF8_H

#include <stdint.h>

/* The length of the well-formed sequence that starts with a byte >= 0x80; 0 if it is none. */
static inline unsigned utf8_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0], low = 0x80, high = 0xBF;
    unsigned len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || end - at < len)
        return 0;
    if (first == 0xE0)
        low = 0xA0; /* else overlong */
    else if (first == 0xED)
        high = 0x9F; /* else a surrogate */
    else if (first == 0xF0)
        low = 0x90; /* else overlong */
    else if (first == 0xF4)
        high = 0x8F; /* else beyond U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (unsigned i = 2; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

#endif
