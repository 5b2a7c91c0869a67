/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The part of CBOR (RFC 8949) that the NSM's messages are made of: integers, byte and text strings
 * of definite length, arrays and maps, false, true and null. formats/cbor_types.h has functions for
 * further types, on which COSE, attestation documents and the simulator build. Floats and strings
 * in chunks are refused; a tag is read only where one is asked for.
 *
 * The reader goes over one message by position and fails as a whole: after the first failure every
 * call returns zero or empty and reader.failed keeps its reason. Read all, then check once with
 * cbor_reader_done.
 *
 *     {"random": bstr}:
 *         struct cbor_items map = cbor_enter(&r, CBOR_MAP);
 *         while (cbor_next(&r, &map))
 *             if (bytes_equal_text(cbor_text(&r), "random")) random = cbor_bytes(&r);
 *             else cbor_skip(&r);
 */
#ifndef CODEC_CBOR_H
#define CODEC_CBOR_H

#include "base/buffer.h"

#define CBOR_DEPTH_MAX 16 /* levels of arrays and maps that cbor_skip goes into */

/* The first eight are the major types of the format, in its order. */
enum cbor_type {
    CBOR_UNSIGNED,
    CBOR_NEGATIVE,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE, /* false, true, null and other simple values of one byte */
    CBOR_BREAK,  /* the end of an array or map of indefinite length */
    CBOR_INVALID,
};

/* The arguments of simple values. */
#define CBOR_FALSE 20
#define CBOR_TRUE  21
#define CBOR_NULL  22

enum cbor_failure {
    CBOR_FINE,
    CBOR_ENDS_EARLY,
    CBOR_WRONG_TYPE, /* another type than the one asked for */
    CBOR_BAD_FORM,   /* not well-formed, or outside the part above */
    CBOR_TOO_DEEP,
};

struct cbor_reader {
    struct bytes input;
    size_t at; /* offset of the next item */
    enum cbor_failure failed;
};

/* What comes before the content of each item. */
struct cbor_head {
    enum cbor_type major; /* CBOR_UNSIGNED to CBOR_SIMPLE */
    bool indefinite;      /* of an array or a map; a CBOR_SIMPLE is then the break that ends one */
    uint64_t argument;    /* 0 when indefinite */
};

/* An array or map being walked. */
struct cbor_items {
    uint64_t left; /* items (pairs, in a map) still to come, when definite */
    bool indefinite;
};

struct cbor_reader cbor_reader(struct bytes input);

/* Views into the input. Text is checked to be UTF-8. */
struct bytes cbor_bytes(struct cbor_reader *r);
struct bytes cbor_text(struct cbor_reader *r);

/* Goes into a CBOR_ARRAY or a CBOR_MAP, of definite or indefinite length. */
struct cbor_items cbor_enter(struct cbor_reader *r, enum cbor_type container);
/* True while an element (a pair) follows, which must then be read, in a map both its halves. */
bool cbor_next(struct cbor_reader *r, struct cbor_items *items);

/* Passes over one item of any type but a tag and returns its encoding. */
struct bytes cbor_skip(struct cbor_reader *r);

/* Whether nothing failed and nothing is left. */
MUST_USE bool cbor_reader_done(const struct cbor_reader *r);

/* To read further types: any head; the argument of a head of that type; to fail, which is false. */
bool cbor_read_head(struct cbor_reader *r, struct cbor_head *head);
uint64_t cbor_read_definite(struct cbor_reader *r, enum cbor_type major);
bool cbor_fail(struct cbor_reader *r, enum cbor_failure why);

/*
 * Writing, in the shortest form (RFC 8949, 4.2.1), to a buffer whose failure is sticky. A head is
 * the whole of an integer or a simple value, and what comes before the items of an array or map.
 */
void cbor_put_head(struct buffer *out, enum cbor_type major, uint64_t argument);
void cbor_put_bytes(struct buffer *out, struct bytes bytes);
void cbor_put_text(struct buffer *out, const char *text);

#endif
