/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical Huffman codes of limited length, as deflate uses them (RFC 1951, 3.2.2). */
#ifndef IMAGE_HUFFMAN_H
#define IMAGE_HUFFMAN_H

#include "base/bytes.h"

#define HUFFMAN_SYMBOLS 286 /* most in one alphabet of deflate: literals and lengths */

/*
 * The code lengths, at most most bits each, of n symbols that occur counts[i] times; 0 for those
 * that do not occur. At least two symbols get a code, since some readers require a complete code.
 */
void huffman_lengths(uint8_t *lengths, const uint32_t *counts, size_t n, unsigned most);

/* The codes for these lengths, with the first bit lowest, as they are written. */
void huffman_codes(uint16_t *codes, const uint8_t *lengths, size_t n);

#endif
