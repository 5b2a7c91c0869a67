/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser: one pass, one loop. What is open is a chain of nodes (a container's next field holds
 * its parent until it is closed), so nothing recurses.
 */
#include "codec/json.h"

#include <stdlib.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/secret.h"
#include "codec/json_parts.h"

#define FIRST_CAP 64 /* nodes: a small request */

struct parser {
    struct json *doc;
    struct error *err;
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    json_value open; /* innermost open container */
    uint32_t depth;
    struct json_key key;
};

static inline uint32_t offset(const struct parser *p)
{
    return (uint32_t)(p->at - p->start);
}

static bool fail(struct parser *p, enum error_code code, const char *what)
{
    return error_set(p->err, code, "%s at byte %u", what, offset(p));
}

static bool malformed(struct parser *p, const char *what)
{
    return fail(p, ERROR_NOT_JSON, p->at == p->end ? "unexpected end" : what);
}

/* The old array is wiped, which realloc would not do. */
bool json_reserve(struct json *doc, size_t more)
{
    if (more <= doc->cap - doc->count)
        return true;
    size_t cap = doc->cap < FIRST_CAP ? FIRST_CAP : (size_t)doc->cap * 2;
    while (cap < doc->count + more)
        cap *= 2;
    struct json_node *nodes = cap > UINT32_MAX ? NULL : calloc(cap, sizeof *nodes);
    if (nodes == NULL)
        return false;
    if (doc->count > 0)
        memcpy(nodes, doc->nodes, doc->count * sizeof *nodes);
    wipe(doc->nodes, doc->cap * sizeof *nodes);
    free(doc->nodes);
    doc->nodes = nodes;
    doc->cap = (uint32_t)cap;
    return true;
}

static inline bool add_node(struct parser *p, enum json_type type)
{
    struct json *doc = p->doc;
    if (doc->count == doc->cap && !json_reserve(doc, 1))
        return fail(p, ERROR_MEMORY, "no memory for the index");
    doc->nodes[doc->count] =
        (struct json_node){.start = offset(p), .next = doc->count + 1, .type = (uint8_t)type};
    doc->count++;
    return true;
}

/* Skips white space; the byte behind it, or 0 (which nothing accepts) at the end. */
static inline uint8_t skip_space(struct parser *p)
{
    const uint8_t *at = p->at, *end = p->end;
    while (at < end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    p->at = at;
    return at < end ? *at : 0;
}

/* Skips what needs no look within a string: ASCII but quotes, backslashes and controls. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const void *)at);
        /* Signed: below ' ' are the controls and all bytes from 0x80 on. */
        __m128i stop =
            _mm_or_si128(_mm_cmplt_epi8(v, space),
                         _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    for (; end - at >= 8; at += 8) {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        /* The high bit of a byte of (x - ones) is set if x was zero or (v) not ASCII; false alarms
         * above a true one are harmless, the loop below looks again. */
        uint64_t quote = (v ^ ones * '"') - ones, backslash = (v ^ ones * '\\') - ones;
        if (((quote | backslash | (v - ones * ' ') | v) & high) != 0)
            break;
    }
#endif
    while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* The length of the well-formed UTF-8 sequence (Unicode, table 3-7) at a byte >= 0x80; 0 if none.
 */
static unsigned utf8_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0], low = 0x80, high = 0xBF;
    unsigned len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || end - at < len)
        return 0;
    if (first == 0xE0)
        low = 0xA0; /* else overlong */
    else if (first == 0xED)
        high = 0x9F; /* else a surrogate */
    else if (first == 0xF0)
        low = 0x90; /* else overlong */
    else if (first == 0xF4)
        high = 0x8F; /* else beyond U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (unsigned i = 2; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/* The length of the escape at a backslash; 0 if it is none. */
static unsigned escape_length(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 2)
        return 0;
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;
    case 'u':
        return end - at >= 6 && json_hex4(at + 2) >= 0 ? 6 : 0;
    default:
        return 0;
    }
}

/* p->at is at the opening quote; afterwards behind the closing one. */
static bool scan_string(struct parser *p)
{
    if (!add_node(p, JSON_STRING))
        return false;
    struct json_node *node = &p->doc->nodes[p->doc->count - 1];
    for (p->at++;;) {
        p->at = skip_plain(p->at, p->end);
        if (p->at == p->end)
            return malformed(p, "");
        unsigned len;
        if (*p->at == '"') {
            p->at++;
            node->end = offset(p);
            return true;
        } else if (*p->at == '\\') {
            node->escaped = true;
            len = escape_length(p->at, p->end);
        } else {
            len = *p->at < ' ' ? 0 : utf8_length(p->at, p->end);
        }
        if (len == 0)
            return fail(p, ERROR_NOT_JSON, "malformed string");
        p->at += len;
    }
}

static bool skip_digits(struct parser *p)
{
    const uint8_t *at = p->at;
    while (at < p->end && *at >= '0' && *at <= '9')
        at++;
    bool some = at > p->at;
    p->at = at;
    return some || malformed(p, "malformed number");
}

static bool next_is(const struct parser *p, char one, char other)
{
    return p->at < p->end && (*p->at == one || *p->at == other);
}

static bool scan_number(struct parser *p)
{
    if (!add_node(p, JSON_NUMBER))
        return false;
    if (*p->at == '-')
        p->at++;
    if (next_is(p, '0', '0'))
        p->at++; /* a digit behind it is unexpected to the loop */
    else if (!skip_digits(p))
        return false;
    if (next_is(p, '.', '.')) {
        p->at++;
        if (!skip_digits(p))
            return false;
    }
    if (next_is(p, 'e', 'E')) {
        p->at++;
        if (next_is(p, '+', '-'))
            p->at++;
        if (!skip_digits(p))
            return false;
    }
    p->doc->nodes[p->doc->count - 1].end = offset(p);
    return true;
}

static bool scan_literal(struct parser *p, enum json_type type, struct bytes literal)
{
    if ((size_t)(p->end - p->at) < literal.len || memcmp(p->at, literal.at, literal.len) != 0)
        return fail(p, ERROR_NOT_JSON, "malformed literal");
    if (!add_node(p, type))
        return false;
    p->at += literal.len;
    p->doc->nodes[p->doc->count - 1].end = offset(p);
    return true;
}

static bool open_container(struct parser *p, enum json_type type)
{
    if (p->depth == p->doc->depth_limit)
        return fail(p, ERROR_TOO_DEEP, "nested too deeply");
    if (!add_node(p, type))
        return false;
    json_value v = p->doc->count - 1;
    p->doc->nodes[v].next = p->open;
    p->open = v;
    p->depth++;
    p->at++;
    return true;
}

static bool unique_names(struct parser *p)
{
    json_value second;
    switch (json_names_unique(p->doc, p->open, &p->key, &second)) {
    case ERROR_NONE:
        return true;
    case ERROR_DUPLICATE_MEMBER:
        p->at = p->start + p->doc->nodes[second].start;
        return fail(p, ERROR_DUPLICATE_MEMBER, "a second member of the same name");
    case ERROR_MEMORY:
        return fail(p, ERROR_MEMORY, "no memory for the names of an object");
    default:
        return fail(p, ERROR_INTERNAL, "no randomness for the names of an object");
    }
}

static bool close_container(struct parser *p)
{
    if (p->doc->nodes[p->open].type == JSON_OBJECT && !unique_names(p))
        return false;
    struct json_node *node = &p->doc->nodes[p->open];
    p->at++;
    p->open = node->next;
    p->depth--;
    node->end = offset(p);
    node->next = p->doc->count;
    return true;
}

/* A whole scalar, or the start of a container. */
static bool take_value(struct parser *p)
{
    uint8_t c = skip_space(p);
    switch (c) {
    case '"':
        return scan_string(p);
    case '{':
        return open_container(p, JSON_OBJECT);
    case '[':
        return open_container(p, JSON_ARRAY);
    case 't':
        return scan_literal(p, JSON_TRUE, bytes_of("true", 4));
    case 'f':
        return scan_literal(p, JSON_FALSE, bytes_of("false", 5));
    case 'n':
        return scan_literal(p, JSON_NULL, bytes_of("null", 4));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return scan_number(p);
        return malformed(p, "no value");
    }
}

/* What comes before a value within the open container: a name and colon in an object. */
static bool take_name(struct parser *p)
{
    if (p->doc->nodes[p->open].type == JSON_ARRAY)
        return true;
    if (skip_space(p) != '"')
        return malformed(p, "no member name");
    if (!scan_string(p))
        return false;
    if (skip_space(p) != ':')
        return malformed(p, "no colon");
    p->at++;
    return true;
}

static uint8_t closing(const struct parser *p)
{
    return p->doc->nodes[p->open].type == JSON_OBJECT ? '}' : ']';
}

static bool parse(struct parser *p)
{
    for (;;) {
        const json_value outer = p->open;
        if (!take_value(p))
            return false;
        if (p->open != outer && skip_space(p) != closing(p)) {
            if (!take_name(p))
                return false;
            continue;
        }
        for (;;) { /* behind a value, or in an empty container */
            uint8_t c = skip_space(p);
            if (p->open == JSON_NONE)
                return p->at == p->end || fail(p, ERROR_NOT_JSON, "text behind the value");
            if (c == ',')
                break;
            if (c != closing(p))
                return malformed(p, "neither comma nor close");
            if (!close_container(p))
                return false;
        }
        p->at++;
        if (!take_name(p))
            return false;
    }
}

void json_init(struct json *doc, uint32_t depth_limit)
{
    *doc =
        (struct json){.depth_limit = depth_limit < JSON_DEPTH_MAX ? depth_limit : JSON_DEPTH_MAX};
}

void json_clear(struct json *doc)
{
    wipe(doc->nodes, doc->cap * sizeof *doc->nodes);
    free(doc->nodes);
    json_init(doc, doc->depth_limit);
}

bool json_parse(struct json *doc, struct bytes text, struct error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *start = text.len > 0 ? text.at : nothing;
    struct parser p = {.doc = doc, .err = err, .start = start, .at = start, .open = JSON_NONE};
    doc->text = text;
    doc->count = 0;
    p.end = start + text.len;
    bool ok = text.len <= JSON_TEXT_MAX
                  ? parse(&p)
                  : error_set(err, ERROR_NOT_JSON, "longer than %u bytes", JSON_TEXT_MAX);
    if (!ok) {
        doc->text = bytes_of(NULL, 0);
        doc->count = 0;
    }
    return ok;
}
