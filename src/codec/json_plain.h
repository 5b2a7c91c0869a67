/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loop over strings, which parser and writer share. Not for other files. */
#ifndef CODEC_JSON_PLAIN_H
#define CODEC_JSON_PLAIN_H

#include <stdint.h>
#include <string.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/*
 * The first byte from at on that does not stand for itself: a quote, a backslash, a control
 * character or a byte of 0x80 and above; end if there is none.
 */
static inline const uint8_t *json_skip_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const void *)at);
        /* Compared as signed: control characters and all bytes from 0x80 on are below ' '. */
        __m128i stop =
            _mm_or_si128(_mm_cmplt_epi8(v, space),
                         _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    for (; end - at >= 8; at += 8) {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        /*
         * The high bit of a byte of x - ones is set if that byte of x is 0. A borrow can set it for
         * a byte above such a one too; the loop below finds the first.
         */
        uint64_t quote = (v ^ ones * '"') - ones, backslash = (v ^ ones * '\\') - ones;
        if (((quote | backslash | (v - ones * ' ') | v) & high) != 0)
            break;
    }
#endif
    while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

#endif
