/* SPDX-License-Identifier: Apache-2.0 */
/* Heads, which cbor.c and cbor_more.c share. For nobody else. */
#ifndef CODEC_CBOR_INTERNAL_H
#define CODEC_CBOR_INTERNAL_H

#include "codec/cbor.h"

/* Additional information: up to 23 the argument itself, then the width of one that follows. */
#define CBOR_INFO_1_BYTE     24
#define CBOR_INFO_8_BYTES    27
#define CBOR_INFO_INDEFINITE 31

#define CBOR_FALSE 20
#define CBOR_TRUE  21
#define CBOR_NULL  22

struct cbor_head {
    enum cbor_type major; /* CBOR_UNSIGNED to CBOR_SIMPLE, the last for all of major type 7 */
    unsigned info;
    uint64_t argument; /* 0 when indefinite */
};

bool cbor_read_head(struct cbor_reader *r, struct cbor_head *head);
/* The argument of a head of that major type, which is not indefinite. */
uint64_t cbor_read_definite(struct cbor_reader *r, enum cbor_type major);
/*
 * Goes into an array or a map. Every item takes a byte at least, so a larger count is a lie that
 * need not be walked to be told.
 */
struct cbor_items cbor_enter(struct cbor_reader *r, enum cbor_type major, size_t items_each);
/* The head with its argument in the shortest form. */
void cbor_put_head(struct buffer *out, enum cbor_type major, uint64_t argument);

#endif
