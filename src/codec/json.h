/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON (RFC 8259): a document is checked whole and indexed, never copied.
 *
 * The index points into the text, so what an agent does not touch is carried over byte by byte:
 * numbers of any size and precision, escapes, member order, white space. Refused: anything the
 * grammar does not allow, bytes that are not UTF-8, a member name that occurs twice in one object
 * (compared after unescaping), nesting beyond the depth limit, text after the value.
 *
 * The grammar allows a \u escape of a lone surrogate. It is accepted and carried over, but it has
 * no UTF-8, so json_string refuses to unescape it.
 */
#ifndef CODEC_JSON_H
#define CODEC_JSON_H

#include "base/buffer.h"
#include "base/error.h"

#define JSON_DEPTH_MAX 512 /* most nested arrays and objects; the default limit is 128 */
#define JSON_DEPTH     128
#define JSON_VALUES    (1u << 20) /* the default limit of values, names included; 16 bytes each */
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
    uint32_t next;  /* number of the first node after this value and all within it */
    uint8_t type;   /* enum json_type */
    bool escaped;   /* a string that holds a backslash */
    uint16_t key;   /* for the parser's use */
};

struct json {
    struct bytes text;       /* the document; must outlive the index */
    struct json_node *nodes; /* owned; kept from parse to parse */
    uint32_t count;
    uint32_t cap;
    uint32_t depth_limit; /* both may be set after json_init */
    uint32_t value_limit;
};

/* depth_limit: 1 to JSON_DEPTH_MAX. The limit of values becomes JSON_VALUES. Allocates nothing. */
void json_init(struct json *doc, uint32_t depth_limit);
/* Wipes and frees the index. */
void json_clear(struct json *doc);

/*
 * Checks and indexes text, replacing what doc held. On failure doc is empty and err has
 * ERROR_NOT_JSON, ERROR_DUPLICATE_MEMBER, ERROR_TOO_DEEP, ERROR_TOO_MANY_VALUES or ERROR_MEMORY,
 * with the byte offset in its cause (never content). Whatever the text, memory is linear in
 * text.len, and so is time, except that n names of one object may take n log n comparisons.
 */
MUST_USE bool json_parse(struct json *doc, struct bytes text, struct error *err);
/* What such a failure means where text is no request: of a file, of a section. */
const char *json_failure_text(enum error_code code);

static inline enum json_type json_type(const struct json *doc, json_value v)
{
    return (enum json_type)doc->nodes[v].type;
}

/* The value's text as it is in the document, a string's quotes included. */
struct bytes json_raw(const struct json *doc, json_value v);

/*
 * The value of the member of that name (ASCII, not escaped) of v; JSON_NONE if there is none or v
 * is not an object.
 */
json_value json_member(const struct json *doc, json_value v, const char *name);

/*
 * Walks an array's elements or an object's names: json_first gives the first, json_next the one
 * after before, JSON_NONE when there is none. The value of name n is n + 1.
 */
json_value json_first(const struct json *doc, json_value container);
json_value json_next(const struct json *doc, json_value container, json_value before);

/*
 * Appends string v, unescaped, as UTF-8. False if v is not a string, has a lone surrogate (nothing
 * is appended then) or out is full or without memory.
 */
MUST_USE bool json_string(const struct json *doc, json_value v, struct buffer *out);

/* Copies string v, unescaped, and ends it. False: no string, a NUL in it, or size - 1 exceeded. */
MUST_USE bool json_copy_string(const struct json *doc, json_value v, char *out, size_t size);

/* Whether v is a string that, unescaped, equals text (ASCII). */
bool json_string_is(const struct json *doc, json_value v, const char *text);

/* Reads an integer; false if v is not one, has a fraction or an exponent, or does not fit. */
MUST_USE bool json_int64(const struct json *doc, json_value v, int64_t *out);

#endif
