/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: what is accepted is accepted again when copied out, but not when cut; strings survive a
 * trip; the names of an object differ.
 */
#include "fuzz/fuzz.h"

#include "codec/json_internal.h"
#include "codec/json_writer.h"

#define LIMIT (1u << 20)

static enum error_code parse(struct json *doc, struct bytes text)
{
    struct error err = {.code = ERROR_NONE};
    json_init(doc, JSON_DEPTH);
    FUZZ_CHECK(json_parse(doc, text, &err) == (err.code == ERROR_NONE));
    return err.code;
}

static void check_string(const struct json *doc, json_value v)
{
    BUFFER_AUTO text, again, written;
    buffer_init(&text, LIMIT);
    buffer_init(&again, LIMIT);
    buffer_init(&written, LIMIT);
    if (!json_string(doc, v, &text))
        return;
    struct json_writer w = json_writer(&written);
    json_text_bytes(&w, NULL, buffer_bytes(&text));
    if (written.failed)
        return;
    struct json copy;
    FUZZ_CHECK(parse(&copy, buffer_bytes(&written)) == ERROR_NONE);
    FUZZ_CHECK(json_string(&copy, 0, &again));
    FUZZ_CHECK(bytes_equal(buffer_bytes(&text), buffer_bytes(&again)));
    json_clear(&copy);
}

/* At most so many names of an object are compared each with each. */
#define NAMES 64

static void check_names(const struct json *doc, json_value object)
{
    size_t count = 0;
    for (json_value n = json_first(doc, object); n != JSON_NONE && count < NAMES; count++) {
        size_t earlier = 0;
        for (json_value m = json_first(doc, object); earlier < count; earlier++) {
            FUZZ_CHECK(json_compare_names(doc, m, n) != 0);
            m = json_next(doc, object, m);
        }
        n = json_next(doc, object, n);
    }
}

/* Every node is in its place: within its parent and after the one before it. */
static void check_nodes(const struct json *doc)
{
    for (json_value v = 0; v < doc->count; v++) {
        const struct json_node *node = &doc->nodes[v];
        FUZZ_CHECK(node->start < node->end && node->end <= doc->text.len);
        FUZZ_CHECK(node->next > v && node->next <= doc->count);
        json_value last = v;
        for (json_value c = json_first(doc, v); c != JSON_NONE; c = json_next(doc, v, c)) {
            FUZZ_CHECK(c > last && c < node->next);
            FUZZ_CHECK(doc->nodes[c].start > node->start && doc->nodes[c].end < node->end);
            last = c;
        }
        if (node->type == JSON_STRING)
            check_string(doc, v);
        if (node->type == JSON_OBJECT)
            check_names(doc, v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json doc, other;
    if (parse(&doc, bytes_of(data, size)) == ERROR_NONE) {
        check_nodes(&doc);
        struct bytes root = json_raw(&doc, 0);
        FUZZ_CHECK(parse(&other, root) == ERROR_NONE && other.count == doc.count);
        json_clear(&other);
        /* A number may be cut and stay one. */
        if (json_type(&doc, 0) != JSON_NUMBER) {
            FUZZ_CHECK(parse(&other, bytes_of(root.at, root.len - 1)) == ERROR_NOT_JSON);
            json_clear(&other);
        }
    }
    json_clear(&doc);
    return 0;
}
