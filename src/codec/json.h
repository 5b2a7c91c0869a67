/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON (RFC 8259): a document is checked whole and indexed, never copied.
 *
 * The index points into the text, so what an agent does not touch is carried over byte by byte:
 * numbers of any size and precision, escapes, member order, white space. Refused: anything the
 * grammar does not allow, bytes that are not UTF-8, a member name that occurs twice in one object
 * (compared after unescaping), nesting beyond the depth limit, text behind the value.
 *
 * A \u escape of a lone surrogate is within the grammar: it is accepted and carried, but has no
 * UTF-8, so json_string refuses to unescape it.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/buffer.h"
#include "base/error.h"

#define JSON_DEPTH_MAX 512 /* most nested arrays and objects; the default limit is 128 */
#define JSON_DEPTH     128
#define JSON_VALUES    (1u << 20) /* most values (names count as such); the default. 16 bytes each */
#define JSON_TEXT_MAX  (1u << 30) /* longest text, bytes: offsets are 32 bits */

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

/*
 * A value, by its number in the index; 0 is the root. Members of an object are pairs: the name (a
 * JSON_STRING) directly followed by its value.
 */
typedef uint32_t json_value;
#define JSON_NONE UINT32_MAX

struct json_node {
    uint32_t start; /* first byte of the value in the text (for a string: its opening quote) */
    uint32_t end;   /* one past its last byte */
    uint32_t next;  /* number of the first node behind this value and all within it */
    uint8_t type;   /* enum json_type */
    bool escaped;   /* a string that holds a backslash */
};

struct json {
    struct bytes text;       /* the document; must outlive the index */
    struct json_node *nodes; /* owned; kept from parse to parse */
    uint32_t count;
    uint32_t cap;
    uint32_t depth_limit;
    uint32_t value_limit; /* may be set after json_init */
};

/* depth_limit: 1..JSON_DEPTH_MAX; value_limit becomes JSON_VALUES. Allocates nothing. */
void json_init(struct json *doc, uint32_t depth_limit);
/* Wipes and frees the index. */
void json_clear(struct json *doc);

/*
 * Checks and indexes text, replacing what doc held. On failure doc is empty and err has
 * ERROR_NOT_JSON, ERROR_DUPLICATE_MEMBER, ERROR_TOO_DEEP, ERROR_MEMORY or ERROR_INTERNAL (the
 * kernel gave no randomness) with the byte offset in its cause (no content). Time and memory are
 * linear in text.len, whatever the text.
 */
MUST_USE bool json_parse(struct json *doc, struct bytes text, struct error *err);

static inline enum json_type json_type(const struct json *doc, json_value v)
{
    return (enum json_type)doc->nodes[v].type;
}

/* The value's own text, quotes included: what is spliced into another document. */
struct bytes json_raw(const struct json *doc, json_value v);

/* The value of member name (ASCII, no escapes) of object v; JSON_NONE if absent or v no object. */
json_value json_member(const struct json *doc, json_value v, const char *name);

/*
 * Walks an array's elements or an object's names: first, then next of each, until JSON_NONE. The
 * value of a name n is n + 1. json_next takes the container and the element (or name) before.
 */
json_value json_first(const struct json *doc, json_value container);
json_value json_next(const struct json *doc, json_value container, json_value before);

/* Appends string v, unescaped, as UTF-8. False: no string, a lone surrogate, or out is full. */
MUST_USE bool json_string(const struct json *doc, json_value v, struct buffer *out);

/* Whether v is a string that, unescaped, equals text (ASCII). */
bool json_string_is(const struct json *doc, json_value v, const char *text);

/* Whether va of a and vb of b are strings that, unescaped, are the same. */
bool json_same_string(const struct json *a, json_value va, const struct json *b, json_value vb);

/* Reads an integer (no fraction, no exponent) that fits; false otherwise. */
MUST_USE bool json_int64(const struct json *doc, json_value v, int64_t *out);

#endif
