/* SPDX-License-Identifier: Apache-2.0 */
#include "image/deflate.h"

#include <stdlib.h>

#include "image/deflate_block.h"

#define WINDOW     32768 /* how far back a repetition may lie */
#define LENGTH_MIN 3
#define LENGTH_MAX 258
#define HASH_SIZE  65536
#define NOWHERE    UINT32_MAX
/* Places compared for each byte: more places find a little more, and take longer in proportion. */
#define TRIES 1024
/* A repetition this long is used without checking whether the next byte begins a longer one. */
#define LONG 128

struct deflate {
    struct bit_writer to;
    size_t history; /* bytes of text before the block: at most WINDOW */
    size_t len;     /* bytes of text, history and block */
    uint8_t text[WINDOW + BLOCK_MAX];
    uint32_t head[HASH_SIZE];            /* the last place of each hash */
    uint32_t before[WINDOW + BLOCK_MAX]; /* the place before it, by place */
    struct token tokens[BLOCK_MAX];
    size_t count;
};

struct deflate *deflate_new(byte_sink sink, void *context)
{
    struct deflate *deflate = calloc(1, sizeof *deflate);
    if (deflate != NULL) {
        deflate->to.sink = sink;
        deflate->to.context = context;
    }
    return deflate;
}

void deflate_free(struct deflate *deflate)
{
    free(deflate);
}

static size_t hash_of(const uint8_t *at)
{
    uint32_t three = (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16;
    return three * UINT32_C(2654435761) >> 16; /* Knuth's multiplier, the upper 16 bits */
}

/* Enters the place at into the table, if three bytes are there. */
static void insert(struct deflate *d, size_t at)
{
    if (d->len - at < LENGTH_MIN)
        return;
    size_t hash = hash_of(d->text + at);
    d->before[at] = d->head[hash];
    d->head[hash] = (uint32_t)at;
}

static size_t common(const uint8_t *a, const uint8_t *b, size_t most)
{
    size_t len = 0;
    while (len < most && a[len] == b[len])
        len++;
    return len;
}

/* The longest repetition for the text at at, the nearest if several; length 0 if there is none. */
static struct token find(const struct deflate *d, size_t at)
{
    struct token best = {0};
    size_t most = d->len - at < LENGTH_MAX ? d->len - at : LENGTH_MAX;
    if (most < LENGTH_MIN)
        return best;
    uint32_t place = d->head[hash_of(d->text + at)];
    for (int tries = TRIES; place != NOWHERE && at - place <= WINDOW && tries > 0; tries--) {
        /* Only a longer one also matches the byte after the best. */
        if (d->text[place + best.length] == d->text[at + best.length]) {
            size_t len = common(d->text + place, d->text + at, most);
            if (len >= LENGTH_MIN && len > best.length)
                best = (struct token){(uint16_t)len, (uint16_t)(at - place)};
            if (len == most)
                break;
        }
        place = d->before[place];
    }
    return best;
}

static void add(struct deflate *d, struct token token)
{
    d->tokens[d->count++] = token;
}

/* Finds the tokens of the block. If the next byte begins a longer repetition, that one is used. */
static void search(struct deflate *d)
{
    size_t at = d->history;
    struct token here = find(d, at);
    while (at < d->len) {
        insert(d, at);
        struct token next = {0};
        bool look = here.length < LONG && at + 1 < d->len;
        if (look)
            next = find(d, at + 1);
        if (here.length == 0 || next.length > here.length) {
            add(d, (struct token){.distance = d->text[at++]});
            here = look ? next : (struct token){0};
            continue;
        }
        add(d, here);
        for (size_t i = 1; i < here.length; i++)
            insert(d, at + i);
        at += here.length;
        here = find(d, at);
    }
}

static bool put_block(struct deflate *d, bool last, struct error *err)
{
    d->count = 0;
    memset(d->head, 0xff, sizeof d->head); /* NOWHERE */
    for (size_t i = 0; i < d->history; i++)
        insert(d, i);
    search(d);
    d->to.err = err;
    deflate_put_block(&d->to, d->tokens, d->count,
                      bytes_of(d->text + d->history, d->len - d->history), last);
    size_t keep = d->len < WINDOW ? d->len : WINDOW;
    memmove(d->text, d->text + d->len - keep, keep);
    d->history = d->len = keep;
    return !d->to.failed;
}

bool deflate_write(struct deflate *d, struct bytes piece, struct error *err)
{
    while (piece.len > 0) {
        size_t room = d->history + BLOCK_MAX - d->len;
        if (room == 0) {
            if (!put_block(d, false, err))
                return false;
            continue;
        }
        size_t part = piece.len < room ? piece.len : room;
        memcpy(d->text + d->len, piece.at, part);
        d->len += part;
        piece = bytes_from(piece, part);
    }
    return true;
}

bool deflate_finish(struct deflate *d, struct error *err)
{
    if (!put_block(d, true, err))
        return false;
    deflate_flush(&d->to);
    return !d->to.failed;
}
