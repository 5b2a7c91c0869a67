/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Member names that occur twice. In most objects the names differ at a glance. Where they do not,
 * they are sorted, so that equal ones meet: n log n comparisons, whatever the names. The list that
 * is sorted is linked through the names' next fields, whose value is known and restored afterwards
 * (a name's value follows it), so the sort needs no memory.
 */
#include "codec/json_internal.h"

#define RUNS 32 /* run i has 2^i names, and there are fewer than 2^31 */

/* Whether length, first, middle and last byte alone tell all names from first on apart. */
static bool differ_at_a_glance(const struct json *doc, json_value first)
{
    uint64_t seen[8] = {0}; /* a set of numbers below 512 */
    for (json_value name = first; name < doc->count; name = doc->nodes[name + 1].next) {
        const struct json_node *node = &doc->nodes[name];
        const uint8_t *quote = doc->text.at + node->start;
        const uint32_t len = node->end - node->start; /* with the quotes, of which "" has no more */
        uint32_t glance = len + 7u * quote[1] + 31u * quote[len / 2] + 101u * quote[len - 2];
        uint64_t *word = &seen[glance / 64 % 8], bit = UINT64_C(1) << glance % 64;
        if (node->escaped || (*word & bit) != 0)
            return false;
        *word |= bit;
    }
    return true;
}

/*
 * Merges two lists of names, each sorted by key and then by content, and returns the merged list. A
 * 0, which is the root and not a name, ends a list. All names of a come before those of b in the
 * text. Where two are equal, *repeated becomes the later one if it comes before *repeated.
 */
static json_value merge(struct json *doc, json_value a, json_value b, json_value *repeated)
{
    struct json_node *const nodes = doc->nodes;
    json_value first = 0, *link = &first;
    while (a != 0 && b != 0) {
        int order = nodes[a].key - nodes[b].key;
        if (order == 0)
            order = json_compare_names(doc, a, b);
        if (order == 0 && b < *repeated)
            *repeated = b;
        json_value least = order <= 0 ? a : b;
        *link = least;
        link = &nodes[least].next;
        if (order <= 0)
            a = *link;
        else
            b = *link;
    }
    *link = a != 0 ? a : b;
    return first;
}

json_value json_repeated_name(struct json *doc, json_value object)
{
    json_value runs[RUNS] = {0}, repeated = JSON_NONE, sorted = 0;
    size_t used = 0;
    if (differ_at_a_glance(doc, object + 1))
        return JSON_NONE;
    for (json_value name = object + 1; name < doc->count; name = doc->nodes[name + 1].next) {
        json_value run = name;
        size_t i = 0;
        doc->nodes[name].next = 0;
        doc->nodes[name].key = json_name_key(doc, name);
        for (; runs[i] != 0; i++) {
            run = merge(doc, runs[i], run, &repeated);
            runs[i] = 0;
        }
        runs[i] = run;
        used = i < used ? used : i + 1;
    }
    for (size_t i = 0; i < used; i++)
        sorted = merge(doc, runs[i], sorted, &repeated);
    for (json_value name = object + 1; name < doc->count; name = doc->nodes[name + 1].next)
        doc->nodes[name].next = name + 1;
    return repeated;
}
