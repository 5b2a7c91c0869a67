/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types of CBOR that COSE, attestation documents and the simulator need beyond those of
 * codec/cbor.h, and its heads by name. Reading fails as described there.
 */
#ifndef FORMATS_CBOR_TYPES_H
#define FORMATS_CBOR_TYPES_H

#include "codec/cbor.h"

/* The type of the next item; CBOR_INVALID at the end of the input or after a failure. */
enum cbor_type cbor_peek(const struct cbor_reader *r);

uint64_t cbor_unsigned(struct cbor_reader *r);
/* An unsigned or negative integer that fits an int64_t. */
int64_t cbor_integer(struct cbor_reader *r);
bool cbor_boolean(struct cbor_reader *r);
/* The number of a tag; the item that it tags follows. */
uint64_t cbor_tag(struct cbor_reader *r);
/* Consumes the next item and returns true if it is null; otherwise consumes nothing. */
bool cbor_null(struct cbor_reader *r);

/* What a failure means, to stand after a colon: "it ends early". */
const char *cbor_failure_text(enum cbor_failure failure);

void cbor_put_unsigned(struct buffer *out, uint64_t value);
void cbor_put_integer(struct buffer *out, int64_t value);
void cbor_put_text_bytes(struct buffer *out, struct bytes utf8);
/* So many items, or pairs, follow. */
void cbor_put_array(struct buffer *out, uint64_t count);
void cbor_put_map(struct buffer *out, uint64_t pairs);
/* Pairs follow, and then the break. */
void cbor_put_map_indefinite(struct buffer *out);
void cbor_put_break(struct buffer *out);
void cbor_put_boolean(struct buffer *out, bool value);
void cbor_put_null(struct buffer *out);

#endif
