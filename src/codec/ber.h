/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader of BER (ITU-T X.690) for a known shape: enter and leave constructed values, of definite
 * or indefinite length, and take primitive ones. A failure is sticky: read the whole shape, check
 * once. Tags are single bytes; lengths up to 32 bits.
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
    size_t end;      /* offset no content of this level passes */
    bool indefinite; /* ends with two zero bytes, somewhere before end */
};

struct ber {
    struct bytes input;
    size_t at;
    unsigned depth;
    struct ber_level levels[BER_DEPTH_MAX];
    bool failed;
};

void ber_init(struct ber *r, struct bytes input);

/* The tag of the next value of this level; 0 at its end, or once failed. */
uint8_t ber_peek(const struct ber *r);

/* Goes into a constructed value; out of it, which must have been read to its end. */
void ber_enter(struct ber *r, uint8_t tag);
void ber_leave(struct ber *r);

/* Takes the content of a primitive value. Empty once failed. */
struct bytes ber_take(struct ber *r, uint8_t tag);

/* Steps over the next value, whatever its tag, if its length is definite. */
void ber_skip(struct ber *r);

/* True if nothing failed and the input is used up. */
MUST_USE bool ber_done(const struct ber *r);

#endif
