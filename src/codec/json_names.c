/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Member names that occur twice: few are compared each with each, many by a hash table. The hash is
 * SipHash-1-3 (Aumasson and Bernstein) under a random key, so that nobody can choose names that
 * collide, and runs over the unescaped name.
 */
#include "codec/json_internal.h"

#include <sys/random.h>

#define PAIRWISE_MAX 16

/* A word loaded at once must hash as its bytes taken one by one do. */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "hash_name loads words");

static bool unescaped_equal(struct json_pieces a, struct json_pieces b)
{
    struct bytes x = json_next_piece(&a), y = json_next_piece(&b);
    while (x.len > 0 && y.len > 0) {
        size_t n = x.len < y.len ? x.len : y.len;
        if (memcmp(x.at, y.at, n) != 0)
            return false;
        x = n < x.len ? bytes_from(x, n) : json_next_piece(&a);
        y = n < y.len ? bytes_from(y, n) : json_next_piece(&b);
    }
    return x.len == y.len;
}

bool json_same_string(const struct json *a, json_value va, const struct json *b, json_value vb)
{
    return json_type(a, va) == JSON_STRING && json_type(b, vb) == JSON_STRING &&
           unescaped_equal(json_pieces(a, va), json_pieces(b, vb));
}

static inline bool names_equal(const struct json *doc, json_value a, json_value b)
{
    const struct json_node *x = &doc->nodes[a], *y = &doc->nodes[b];
    if (x->escaped || y->escaped)
        return unescaped_equal(json_pieces(doc, a), json_pieces(doc, b));
    const uint8_t *text = doc->text.at;
    size_t len = x->end - x->start;
    /* Names mostly differ in length or in their first byte, behind the quote. */
    return len == y->end - y->start && text[x->start + 1] == text[y->start + 1] &&
           memcmp(text + x->start, text + y->start, len) == 0;
}

static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static inline void sip_word(uint64_t v[4], uint64_t word)
{
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
}

static uint64_t hash_name(const struct json *doc, json_value name, const struct json_key *key)
{
    const uint64_t k0 = key->half[0], k1 = key->half[1];
    uint64_t v[4] = {k0 ^ UINT64_C(0x736f6d6570736575), k1 ^ UINT64_C(0x646f72616e646f6d),
                     k0 ^ UINT64_C(0x6c7967656e657261), k1 ^ UINT64_C(0x7465646279746573)};
    struct json_pieces pieces = json_pieces(doc, name);
    uint64_t word = 0, len = 0;
    struct bytes piece = doc->nodes[name].escaped ? json_next_piece(&pieces) : pieces.rest;
    while (piece.len > 0) {
        if (len % 8 == 0 && piece.len >= 8) {
            memcpy(&word, piece.at, 8);
            piece = bytes_from(piece, 8);
            len += 8;
        } else {
            word |= (uint64_t)piece.at[0] << (8 * (len % 8));
            piece = bytes_from(piece, 1);
            len++;
        }
        if (len % 8 == 0) {
            sip_word(v, word);
            word = 0;
        }
        if (piece.len == 0 && doc->nodes[name].escaped)
            piece = json_next_piece(&pieces);
    }
    sip_word(v, word | len << 56);
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

/* Enters all names into a table that lies behind the nodes in use. */
static enum error_code unique_among_many(struct json *doc, json_value first, size_t members,
                                         struct json_key *key, json_value *second)
{
    if (!key->drawn && getrandom(key->half, sizeof key->half, 0) != (ssize_t)sizeof key->half)
        return ERROR_INTERNAL;
    key->drawn = true;
    size_t slots = (size_t)4 * PAIRWISE_MAX;
    while (slots < 2 * members)
        slots *= 2;
    if (!json_reserve(doc, slots * sizeof(json_value) / sizeof *doc->nodes))
        return ERROR_MEMORY;
    json_value *table = (json_value *)(void *)(doc->nodes + doc->count);
    memset(table, 0, slots * sizeof *table); /* 0 is the root, no name */
    for (json_value n = first; n < doc->count; n = doc->nodes[n + 1].next) {
        size_t slot = hash_name(doc, n, key) & (slots - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (slots - 1)) {
            if (names_equal(doc, table[slot], n)) {
                *second = n;
                return ERROR_DUPLICATE_MEMBER;
            }
        }
        table[slot] = n;
    }
    return ERROR_NONE;
}

enum error_code json_names_unique(struct json *doc, json_value object, struct json_key *key,
                                  json_value *second)
{
    const json_value first = object + 1;
    json_value names[PAIRWISE_MAX];
    size_t members = 0;
    for (json_value n = first; n < doc->count; n = doc->nodes[n + 1].next) {
        if (members < PAIRWISE_MAX)
            names[members] = n;
        members++;
    }
    if (members > PAIRWISE_MAX)
        return unique_among_many(doc, first, members, key, second);
    for (size_t i = 1; i < members; i++) {
        for (size_t before = 0; before < i; before++) {
            if (names_equal(doc, names[before], names[i])) {
                *second = names[i];
                return ERROR_DUPLICATE_MEMBER;
            }
        }
    }
    return ERROR_NONE;
}
