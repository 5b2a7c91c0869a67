/* SPDX-License-Identifier: Apache-2.0 */
/* What reader, skipper and writer share of CBOR: the head of an item. Not for other files. */
#ifndef CODEC_CBOR_HEAD_H
#define CODEC_CBOR_HEAD_H

#include "codec/cbor.h"

enum cbor_major {
    CBOR_MAJOR_UNSIGNED,
    CBOR_MAJOR_NEGATIVE,
    CBOR_MAJOR_BYTES,
    CBOR_MAJOR_TEXT,
    CBOR_MAJOR_ARRAY,
    CBOR_MAJOR_MAP,
    CBOR_MAJOR_TAG,
    CBOR_MAJOR_OTHER, /* simple values, floats and the break */
};

/* Additional information: up to 23 the argument itself, then the width of one that follows. */
#define CBOR_INFO_1_BYTE     24
#define CBOR_INFO_8_BYTES    27
#define CBOR_INFO_INDEFINITE 31

#define CBOR_SIMPLE_FALSE 20
#define CBOR_SIMPLE_TRUE  21
#define CBOR_SIMPLE_NULL  22

#define CBOR_BREAK_BYTE 0xff

struct cbor_head {
    enum cbor_major major;
    unsigned info;
    uint64_t argument; /* 0 when indefinite */
};

static inline size_t cbor_bytes_left(const struct cbor_reader *r)
{
    return r->input.len - r->at;
}

static inline bool cbor_is_break(const struct cbor_head *head)
{
    return head->major == CBOR_MAJOR_OTHER && head->info == CBOR_INFO_INDEFINITE;
}

/* Marks the reader as failed; false. */
bool cbor_fail(struct cbor_reader *r);
/* Reads a head; false, and the reader has failed, if there is none that is well-formed. */
bool cbor_read_head(struct cbor_reader *r, struct cbor_head *head);
/* The next len bytes; empty, and the reader has failed, if there are fewer. */
struct bytes cbor_take(struct cbor_reader *r, uint64_t len);

#endif
