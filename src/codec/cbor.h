/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of CBOR (RFC 8949) that NSM messages, COSE and attestation documents are made of.
 *
 * The reader passes over one message by position and fails as a whole: after the first thing that
 * is malformed or of another type than asked for, every call answers zero or empty and
 * reader.failed stays true. Read all, check once with cbor_reader_done. It accepts every
 * well-formed item where it skips (floats, tags, indefinite lengths included), bounded to
 * CBOR_DEPTH_MAX levels.
 *
 *     {"random": bstr}:
 *         struct cbor_items map = cbor_enter_map(&r);
 *         while (cbor_next(&r, &map))
 *             if (bytes_equal_text(cbor_text(&r), "random")) random = cbor_bytes(&r);
 *             else cbor_skip(&r);
 */
#ifndef CODEC_CBOR_H
#define CODEC_CBOR_H

#include "base/buffer.h"

#define CBOR_DEPTH_MAX 16

enum cbor_type {
    CBOR_UNSIGNED,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE, /* false, true, null, undefined and other simple values */
    CBOR_FLOAT,
    CBOR_BREAK, /* the end of an indefinite-length item */
    CBOR_INVALID,
};

struct cbor_reader {
    struct bytes input;
    size_t at; /* offset of the next item */
    bool failed;
};

/* An array or map being walked. */
struct cbor_items {
    uint64_t left; /* items (pairs, in a map) still to come, when definite */
    bool indefinite;
};

struct cbor_reader cbor_reader(struct bytes input);

/* The type of the next item; CBOR_INVALID at the end of the input or after a failure. */
enum cbor_type cbor_peek(const struct cbor_reader *r);

uint64_t cbor_unsigned(struct cbor_reader *r);
/* An unsigned or negative integer that fits. */
int64_t cbor_integer(struct cbor_reader *r);
/* A view into the input. Definite length only: chunked strings do not occur in this field's formats
 * and are refused here (cbor_skip passes over them). Text is checked to be UTF-8. */
struct bytes cbor_bytes(struct cbor_reader *r);
struct bytes cbor_text(struct cbor_reader *r);
bool cbor_boolean(struct cbor_reader *r);
/* The number of a tag; the item it is put on follows. */
uint64_t cbor_tag(struct cbor_reader *r);
/* True, and the item is consumed, if the next item is null; false otherwise, consuming nothing. */
bool cbor_null(struct cbor_reader *r);

/* Definite or indefinite length. */
struct cbor_items cbor_enter_array(struct cbor_reader *r);
struct cbor_items cbor_enter_map(struct cbor_reader *r);
/* True while an element (a pair) follows; then read it (both halves). Consumes the break. */
bool cbor_next(struct cbor_reader *r, struct cbor_items *items);

/* Passes over one well-formed item of any type; its encoding is returned. */
struct bytes cbor_skip(struct cbor_reader *r);

/* Whether all was well-formed and nothing is left. */
MUST_USE bool cbor_reader_done(const struct cbor_reader *r);

/* Writing: shortest form (RFC 8949, 4.2.1), into a buffer whose failure is sticky. */
void cbor_put_unsigned(struct buffer *out, uint64_t value);
void cbor_put_integer(struct buffer *out, int64_t value);
void cbor_put_bytes(struct buffer *out, struct bytes bytes);
void cbor_put_text(struct buffer *out, const char *text);
void cbor_put_text_bytes(struct buffer *out, struct bytes utf8);
void cbor_put_array(struct buffer *out, uint64_t count);
void cbor_put_map(struct buffer *out, uint64_t pairs);
void cbor_put_map_indefinite(struct buffer *out);
void cbor_put_break(struct buffer *out);
void cbor_put_boolean(struct buffer *out, bool value);
void cbor_put_null(struct buffer *out);

#endif
