/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of BER (ITU-T X.690) for a known shape: enter and leave constructed values, of definite
 * or indefinite length, and take primitive ones. A failure is sticky: read the whole shape, then
 * check once. Tags have one byte, lengths at most 32 bits.
 */
#ifndef CODEC_BER_H
#define CODEC_BER_H

#include "base/bytes.h"

#define BER_DEPTH_MAX 16

#define BER_INTEGER                0x02
#define BER_OCTET_STRING           0x04
#define BER_NULL                   0x05
#define BER_OID                    0x06
#define BER_SEQUENCE               0x30
#define BER_SET                    0x31
#define BER_CONTEXT(n)             (0x80 | (n)) /* primitive */
#define BER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n))

struct ber_level {
    size_t end;      /* offset at which this level ends, or before it if indefinite */
    bool indefinite; /* two zero bytes end it */
};

struct ber {
    struct bytes input;
    size_t at;
    unsigned depth;
    struct ber_level levels[BER_DEPTH_MAX];
    bool failed;
};

void ber_init(struct ber *r, struct bytes input);

/* The tag of the next value of this level; 0 at its end and after a failure. */
uint8_t ber_peek(const struct ber *r);

/* Goes into a constructed value of that tag; leaves it, which must have been read to its end. */
void ber_enter(struct ber *r, uint8_t tag);
void ber_leave(struct ber *r);

/* The content of a primitive value of that tag, a view into the input; empty after a failure. */
struct bytes ber_take(struct ber *r, uint8_t tag);

/* Passes over the next value, whatever its tag; its length must be definite. */
void ber_skip(struct ber *r);

/* Whether nothing failed and nothing is left. */
MUST_USE bool ber_done(const struct ber *r);

#endif
