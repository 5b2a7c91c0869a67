/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of CBOR (RFC 8949) that NSM messages are made of; cbor_more.h has the rest of what COSE,
 * attestation documents and the simulator need.
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

/* The first eight are the major types of the format, in its order. */
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

/* A view into the input. Definite length only: chunked strings do not occur in this field's formats
 * and are refused here (cbor_skip passes over them). Text is checked to be UTF-8. */
struct bytes cbor_bytes(struct cbor_reader *r);
struct bytes cbor_text(struct cbor_reader *r);

/* Definite or indefinite length. */
struct cbor_items cbor_enter_map(struct cbor_reader *r);
/* True while an element (a pair) follows; then read it (both halves). Consumes the break. */
bool cbor_next(struct cbor_reader *r, struct cbor_items *items);

/* Passes over one well-formed item of any type; its encoding is returned. */
struct bytes cbor_skip(struct cbor_reader *r);

/* Whether all was well-formed and nothing is left. */
MUST_USE bool cbor_reader_done(const struct cbor_reader *r);

/* Writing: shortest form (RFC 8949, 4.2.1), into a buffer whose failure is sticky. */
void cbor_put_unsigned(struct buffer *out, uint64_t value);
void cbor_put_bytes(struct buffer *out, struct bytes bytes);
void cbor_put_text(struct buffer *out, const char *text);
void cbor_put_map(struct buffer *out, uint64_t pairs);
void cbor_put_null(struct buffer *out);

#endif
