/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the JSON parser share: json.c, json_names.c, json_access.c. For nobody else. */
#ifndef CODEC_JSON_INTERNAL_H
#define CODEC_JSON_INTERNAL_H

#include "codec/json.h"

/* json.c: makes room for more nodes behind those in use. */
MUST_USE bool json_reserve(struct json *doc, size_t more);

/* json_names.c: the key of one document's hash tables, drawn when the first is needed. */
struct json_key {
    bool drawn;
    uint64_t half[2];
};

/*
 * Whether the names of an object are distinct; all nodes behind it are its own. ERROR_NONE,
 * ERROR_DUPLICATE_MEMBER (then *second is the name), ERROR_MEMORY or ERROR_INTERNAL (no
 * randomness).
 */
MUST_USE enum error_code json_names_unique(struct json *doc, json_value object,
                                           struct json_key *key, json_value *second);

/* json_access.c: four hex digits as a number; -1 if they are none. */
int32_t json_hex4(const uint8_t *at);

/*
 * A string's content, unescaped piece by piece: runs as they stand and single escaped characters.
 * A lone surrogate becomes three bytes that no valid UTF-8 holds, so distinct strings stay
 * distinct.
 */
struct json_pieces {
    struct bytes rest; /* still to come; escapes in it are known to be well-formed */
    uint8_t character[4];
    bool lone_surrogate; /* one was met */
};

static inline struct json_pieces json_pieces(const struct json *doc, json_value v)
{
    const struct json_node *node = &doc->nodes[v];
    return (struct json_pieces){
        .rest = bytes_of(doc->text.at + node->start + 1, node->end - node->start - 2)};
}

/* The next piece; empty at the end. Valid until the next call. */
struct bytes json_next_piece(struct json_pieces *pieces);

#endif
