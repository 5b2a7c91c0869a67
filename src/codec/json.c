/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser: one pass, one loop. What is open is a chain of nodes (a container's next field holds
 * its parent until it is closed), so nothing recurses.
 */
#include "codec/json.h"

#include <stdlib.h>

#include "base/secret.h"
#include "codec/json_internal.h"
#include "codec/json_plain.h"
#include "codec/utf8.h"

#define FIRST_CAP 64 /* nodes: a small request */

/* Each step takes a position and returns the one after what it took, or NULL when it failed. */
typedef const uint8_t *position;

struct parser {
    struct json *doc;
    struct error *err;
    position start;
    position end;
    json_value open; /* innermost open container */
    uint32_t depth;
};

static position fail(const struct parser *p, position at, enum error_code code, const char *what)
{
    error_set(p->err, code, "%s at byte %zu", what, (size_t)(at - p->start));
    return NULL;
}

static position malformed(const struct parser *p, position at, const char *what)
{
    return fail(p, at, ERROR_NOT_JSON, at == p->end ? "unexpected end" : what);
}

/* Makes room for one more node. The old array is wiped, which realloc would not do. */
static bool grow(struct json *doc)
{
    size_t cap = doc->cap == 0 ? FIRST_CAP : (size_t)doc->cap * 2;
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

/* The new node, or NULL. */
static inline struct json_node *add_node(struct parser *p, position at, enum json_type type)
{
    struct json *doc = p->doc;
    if (doc->count == doc->value_limit) {
        fail(p, at, ERROR_TOO_MANY_VALUES, "more values than the limit");
        return NULL;
    }
    if (doc->count == doc->cap && !grow(doc)) {
        fail(p, at, ERROR_MEMORY, "no memory for the index");
        return NULL;
    }
    struct json_node *node = &doc->nodes[doc->count++];
    *node = (struct json_node){
        .start = (uint32_t)(at - p->start), .next = doc->count, .type = (uint8_t)type};
    return node;
}

static inline position end_node(const struct parser *p, struct json_node *node, position at)
{
    node->end = (uint32_t)(at - p->start);
    return at;
}

static inline position skip_space(const struct parser *p, position at)
{
    while (at < p->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    return at;
}

/* The byte at a position, or 0 (which nothing accepts) at the end. */
static inline uint8_t byte_at(const struct parser *p, position at)
{
    return at < p->end ? *at : 0;
}

/* The length of the escape at a backslash; 0 if it is not one. */
static unsigned escape_length(const uint8_t *at, const uint8_t *end)
{
    static const char single[] = {'"', '\\', '/', 'b', 'f', 'n', 'r', 't'};
    if (end - at >= 6 && at[1] == 'u')
        return json_hex4(at + 2) >= 0 ? 6 : 0;
    return end - at >= 2 && memchr(single, at[1], sizeof single) != NULL ? 2 : 0;
}

/* at is the opening quote. */
static inline position take_string(struct parser *p, position at)
{
    struct json_node *node = add_node(p, at, JSON_STRING);
    if (node == NULL)
        return NULL;
    for (at++;;) {
        at = json_skip_plain(at, p->end);
        if (at == p->end)
            return malformed(p, at, "");
        if (*at == '"')
            return end_node(p, node, at + 1);
        unsigned len = 0;
        if (*at == '\\') {
            node->escaped = true;
            len = escape_length(at, p->end);
        } else if (*at >= 0x80) {
            len = utf8_length(at, p->end);
        }
        if (len == 0)
            return fail(p, at, ERROR_NOT_JSON, "malformed string");
        at += len;
    }
}

static position take_digits(const struct parser *p, position at)
{
    position first = at;
    while (at < p->end && *at >= '0' && *at <= '9')
        at++;
    return at > first ? at : malformed(p, at, "malformed number");
}

/* at is a digit or a minus sign. */
static position take_number(struct parser *p, position at)
{
    struct json_node *node = add_node(p, at, JSON_NUMBER);
    if (node == NULL)
        return NULL;
    if (*at == '-')
        at++;
    /* No digit follows a leading zero: what reads on finds it unexpected. */
    at = byte_at(p, at) == '0' ? at + 1 : take_digits(p, at);
    if (at != NULL && byte_at(p, at) == '.')
        at = take_digits(p, at + 1);
    if (at != NULL && (byte_at(p, at) | 0x20) == 'e') {
        at++;
        if (byte_at(p, at) == '+' || byte_at(p, at) == '-')
            at++;
        at = take_digits(p, at);
    }
    return at == NULL ? NULL : end_node(p, node, at);
}

static position take_literal(struct parser *p, position at, enum json_type type,
                             struct bytes literal)
{
    if ((size_t)(p->end - at) < literal.len || memcmp(at, literal.at, literal.len) != 0)
        return fail(p, at, ERROR_NOT_JSON, "malformed literal");
    struct json_node *node = add_node(p, at, type);
    return node == NULL ? NULL : end_node(p, node, at + literal.len);
}

static position open_container(struct parser *p, position at, enum json_type type)
{
    if (p->depth == p->doc->depth_limit)
        return fail(p, at, ERROR_TOO_DEEP, "nested too deeply");
    struct json_node *node = add_node(p, at, type);
    if (node == NULL)
        return NULL;
    node->next = p->open;
    p->open = p->doc->count - 1;
    p->depth++;
    return at + 1;
}

/* at is the closing bracket. */
static position close_container(struct parser *p, position at)
{
    struct json_node *node = &p->doc->nodes[p->open];
    if (node->type == JSON_OBJECT) {
        json_value repeated = json_repeated_name(p->doc, p->open);
        if (repeated != JSON_NONE)
            return fail(p, p->start + p->doc->nodes[repeated].start, ERROR_DUPLICATE_MEMBER,
                        "a second member of the same name");
    }
    p->open = node->next;
    p->depth--;
    node->next = p->doc->count;
    return end_node(p, node, at + 1);
}

/* A whole scalar, or the start of a container. */
static inline position take_value(struct parser *p, position at)
{
    uint8_t c = byte_at(p, at);
    switch (c) {
    case '"':
        return take_string(p, at);
    case '{':
        return open_container(p, at, JSON_OBJECT);
    case '[':
        return open_container(p, at, JSON_ARRAY);
    case 't':
        return take_literal(p, at, JSON_TRUE, bytes_of("true", 4));
    case 'f':
        return take_literal(p, at, JSON_FALSE, bytes_of("false", 5));
    case 'n':
        return take_literal(p, at, JSON_NULL, bytes_of("null", 4));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return take_number(p, at);
        return malformed(p, at, "no value");
    }
}

/* What comes before a value in the open container: in an object its name and a colon. */
static inline position take_name(struct parser *p, position at)
{
    if (p->doc->nodes[p->open].type == JSON_ARRAY)
        return at;
    if (byte_at(p, at) != '"')
        return malformed(p, at, "no member name");
    at = take_string(p, at);
    if (at == NULL)
        return NULL;
    at = skip_space(p, at);
    return byte_at(p, at) == ':' ? at + 1 : malformed(p, at, "no colon");
}

static inline bool closes(const struct parser *p, position at)
{
    return byte_at(p, at) == (p->doc->nodes[p->open].type == JSON_OBJECT ? '}' : ']');
}

/* What comes between two values: closing brackets, then a comma or the end of the text. */
static inline position take_separator(struct parser *p, position at)
{
    for (;;) {
        at = skip_space(p, at);
        if (p->open == JSON_NONE)
            return at == p->end ? at : fail(p, at, ERROR_NOT_JSON, "text after the value");
        if (byte_at(p, at) == ',')
            return at + 1;
        if (!closes(p, at))
            return malformed(p, at, "neither comma nor closing bracket");
        at = close_container(p, at);
        if (at == NULL)
            return NULL;
    }
}

static bool parse(struct parser *p)
{
    for (position at = p->start; at != NULL;) {
        const json_value outer = p->open;
        at = take_value(p, skip_space(p, at));
        if (at == NULL)
            return false;
        if (p->open == outer || closes(p, skip_space(p, at)))
            at = take_separator(p, at);
        if (p->open == JSON_NONE)
            return at != NULL;
        if (at != NULL)
            at = take_name(p, skip_space(p, at));
    }
    return false;
}

void json_init(struct json *doc, uint32_t depth_limit)
{
    *doc = (struct json){.depth_limit = depth_limit < JSON_DEPTH_MAX ? depth_limit : JSON_DEPTH_MAX,
                         .value_limit = JSON_VALUES};
}

void json_clear(struct json *doc)
{
    wipe(doc->nodes, doc->cap * sizeof *doc->nodes);
    free(doc->nodes);
    *doc = (struct json){.depth_limit = doc->depth_limit, .value_limit = doc->value_limit};
}

bool json_parse(struct json *doc, struct bytes text, struct error *err)
{
    static const uint8_t nothing[1];
    const uint8_t *start = text.len > 0 ? text.at : nothing;
    struct parser p = {
        .doc = doc, .err = err, .start = start, .end = start + text.len, .open = JSON_NONE};
    doc->text = text;
    doc->count = 0;
    bool ok = text.len <= JSON_TEXT_MAX
                  ? parse(&p)
                  : error_set(err, ERROR_NOT_JSON, "longer than %u bytes", JSON_TEXT_MAX);
    if (!ok) {
        doc->text = bytes_of(NULL, 0);
        doc->count = 0;
    }
    return ok;
}

const char *json_failure_text(enum error_code code)
{
    return code == ERROR_NOT_JSON ? "not valid JSON" : error_text(code);
}
