/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical Huffman codes with a limit on their lengths, as deflate has them (RFC 1951, 3.2.2). */
#ifndef IMAGE_HUFFMAN_H
#define IMAGE_HUFFMAN_H

#include "base/bytes.h"

#define HUFFMAN_SYMBOLS 286 /* most in one alphabet of deflate: literals and lengths */

/*
 * Lengths for n symbols that occur counts[i] times, at most most bits each; 0 for those that do not
 * occur. At least two get one, so that the code is complete, as some readers ask for.
 */
void huffman_lengths(uint8_t *lengths, const uint32_t *counts, size_t n, unsigned most);

/* The codes that go with the lengths, their first bit lowest: as they are written. */
void huffman_codes(uint16_t *codes, const uint8_t *lengths, size_t n);

#endif
