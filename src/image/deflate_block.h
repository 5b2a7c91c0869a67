/* SPDX-License-Identifier: Apache-2.0 */
/* One block of deflate as bits, from the tokens that the search for repetitions found. */
#ifndef IMAGE_DEFLATE_BLOCK_H
#define IMAGE_DEFLATE_BLOCK_H

#include "image/sink.h"

#define BLOCK_MAX 65535 /* bytes of input in a block: the longest that can be stored as it is */

/* A literal (length 0, distance the byte), or length bytes from distance back. */
struct token {
    uint16_t length;   /* 3..258 */
    uint16_t distance; /* 1..32768 */
};

/* Bits to be written, the first one lowest (RFC 1951, 3.1.1). */
struct bit_writer {
    byte_sink sink;
    void *context;
    struct error *err;
    uint64_t bits;
    unsigned count; /* of bits, below 8 between calls */
    size_t len;     /* bytes of out in use */
    bool failed;    /* the sink failed and filled *err */
    uint8_t out[4096];
};

/* Writes the tokens, which represent text, as a block with its own codes or, if that is shorter,
 * the text uncompressed. */
void deflate_put_block(struct bit_writer *to, const struct token *tokens, size_t count,
                       struct bytes text, bool last);
/* Fills the last byte with zeros and passes everything to the sink. */
void deflate_flush(struct bit_writer *to);

#endif
