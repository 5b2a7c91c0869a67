/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the vectors that others wrote: whole files, JSON, and hex within it. */
#ifndef TESTS_UNIT_VECTORS_H
#define TESTS_UNIT_VECTORS_H

#include "tests/unit/check.h"

#include "base/hex.h"
#include "codec/json.h"

/* A file below the vectors' folder; the caller clears it. */
static inline struct buffer vector_file(const char *name)
{
    char path[5000];
    snprintf(path, sizeof path, "%s/%s", vectors_folder(), name);
    struct buffer content = read_whole_file(path);
    if (content.len == 0)
        fail_msg("%s is missing or empty", path);
    return content;
}

/* A file of JSON, indexed; text must outlive doc. */
static inline struct json vector_json(const char *name, struct buffer *text)
{
    struct json doc;
    struct error err;
    *text = vector_file(name);
    json_init(&doc, JSON_DEPTH);
    if (!json_parse(&doc, buffer_bytes(text), &err))
        fail_msg("%s: %s", name, err.cause);
    return doc;
}

/* The bytes of a string of hex digits; the caller clears them. */
static inline struct buffer vector_hex(const struct json *doc, json_value v)
{
    BUFFER_AUTO text = {.limit = 1u << 20};
    struct buffer bytes;
    buffer_init(&bytes, 1u << 20);
    assert_true(v != JSON_NONE && json_string(doc, v, &text));
    uint8_t *room = buffer_reserve(&bytes, text.len / 2);
    assert_non_null(room);
    assert_true(hex_decode(room, buffer_bytes(&text)));
    buffer_commit(&bytes, text.len / 2);
    return bytes;
}

#endif
