/* SPDX-License-Identifier: Apache-2.0 */
/* The CBOR that enclaved itself has no use for: what COSE, documents and the simulator need. */
#ifndef FORMATS_CBOR_TYPES_H
#define FORMATS_CBOR_TYPES_H

#include "codec/cbor.h"

/* The type of the next item; CBOR_INVALID at the end of the input or after a failure. */
enum cbor_type cbor_peek(const struct cbor_reader *r);

uint64_t cbor_unsigned(struct cbor_reader *r);
/* An unsigned or negative integer that fits. */
int64_t cbor_integer(struct cbor_reader *r);
bool cbor_boolean(struct cbor_reader *r);
/* The number of a tag; the item it is put on follows. */
uint64_t cbor_tag(struct cbor_reader *r);
/* True, and the item is consumed, if the next item is null; false otherwise, consuming nothing. */
bool cbor_null(struct cbor_reader *r);

/* As cbor_enter_map. */
struct cbor_items cbor_enter_array(struct cbor_reader *r);

void cbor_put_integer(struct buffer *out, int64_t value);
void cbor_put_text_bytes(struct buffer *out, struct bytes utf8);
void cbor_put_array(struct buffer *out, uint64_t count);
void cbor_put_map_indefinite(struct buffer *out);
void cbor_put_break(struct buffer *out);
void cbor_put_boolean(struct buffer *out, bool value);

#endif
