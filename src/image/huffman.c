/* SPDX-License-Identifier: Apache-2.0 */
#include "image/huffman.h"

#include <stdlib.h>

#define LENGTH_MAX 15 /* of a code, bits */

struct leaf {
    uint64_t count;
    uint16_t symbol;
};

/* Rarest first, then by symbol, so that the order does not depend on the sort. */
static int by_count(const void *a, const void *b)
{
    const struct leaf *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return (int)x->symbol - (int)y->symbol;
}

static size_t collect(struct leaf *leaves, const uint32_t *counts, size_t n)
{
    size_t used = 0;
    for (size_t i = 0; i < n; i++)
        if (counts[i] > 0)
            leaves[used++] = (struct leaf){.count = counts[i], .symbol = (uint16_t)i};
    for (size_t i = 0; used < 2 && i < 2; i++)
        if (counts[i] == 0)
            leaves[used++] = (struct leaf){.count = 1, .symbol = (uint16_t)i};
    qsort(leaves, used, sizeof *leaves, by_count);
    return used;
}

/*
 * Joins the two lightest nodes until one is left. The leaves are sorted, and joined nodes are made
 * in order of weight, so the lightest node is always the first of one of two queues.
 */
static void join(const struct leaf *leaves, size_t used, uint16_t *parent)
{
    uint64_t weight[HUFFMAN_SYMBOLS];
    size_t leaf = 0, joined = 0;
    for (size_t next = 0; next + 1 < used; next++) {
        weight[next] = 0;
        for (int half = 0; half < 2; half++) {
            bool take_leaf =
                leaf < used && (joined == next || leaves[leaf].count <= weight[joined]);
            size_t taken = take_leaf ? leaf : used + joined;
            weight[next] += take_leaf ? leaves[leaf].count : weight[joined];
            parent[taken] = (uint16_t)(used + next);
            if (take_leaf)
                leaf++;
            else
                joined++;
        }
    }
}

/* How many leaves are at each depth; those deeper than most count as at most. */
static void count_depths(const uint16_t *parent, size_t used, unsigned most, uint32_t *at_depth)
{
    uint16_t depth[2 * HUFFMAN_SYMBOLS] = {0};
    size_t root = 2 * used - 2;
    depth[root] = 0;
    for (size_t i = root; i-- > 0;)
        depth[i] = (uint16_t)(depth[parent[i]] + 1);
    for (size_t i = 0; i < used; i++)
        at_depth[depth[i] < most ? depth[i] : most]++;
}

/* Leaves that were moved up to the limit take too much room; moving others down makes room. */
static void make_room(uint32_t *at_depth, unsigned most)
{
    uint64_t taken = 0;
    for (unsigned d = 1; d <= most; d++)
        taken += (uint64_t)at_depth[d] << (most - d);
    while (taken > UINT64_C(1) << most) {
        unsigned d = most - 1;
        while (at_depth[d] == 0)
            d--;
        /* One leaf becomes a branch that holds it and one of the deepest leaves. */
        at_depth[d]--;
        at_depth[d + 1] += 2;
        at_depth[most]--;
        taken--;
    }
}

void huffman_lengths(uint8_t *lengths, const uint32_t *counts, size_t n, unsigned most)
{
    struct leaf leaves[HUFFMAN_SYMBOLS];
    uint16_t parent[2 * HUFFMAN_SYMBOLS] = {0};
    uint32_t at_depth[LENGTH_MAX + 1] = {0};
    size_t used = collect(leaves, counts, n);
    join(leaves, used, parent);
    count_depths(parent, used, most, at_depth);
    make_room(at_depth, most);
    memset(lengths, 0, n);
    size_t i = 0;
    for (unsigned d = most; d > 0; d--) /* the rarest are the deepest */
        for (uint32_t left = at_depth[d]; left > 0; left--)
            lengths[leaves[i++].symbol] = (uint8_t)d;
}

void huffman_codes(uint16_t *codes, const uint8_t *lengths, size_t n)
{
    unsigned of_length[LENGTH_MAX + 1] = {0}, next[LENGTH_MAX + 1] = {0};
    for (size_t i = 0; i < n; i++)
        of_length[lengths[i]]++;
    of_length[0] = 0;
    for (size_t d = 1; d <= LENGTH_MAX; d++)
        next[d] = (next[d - 1] + of_length[d - 1]) << 1;
    for (size_t i = 0; i < n; i++) {
        unsigned code = lengths[i] > 0 ? next[lengths[i]]++ : 0, reversed = 0;
        for (unsigned bit = 0; bit < lengths[i]; bit++)
            reversed |= (code >> bit & 1) << (lengths[i] - 1 - bit);
        codes[i] = (uint16_t)reversed;
    }
}
