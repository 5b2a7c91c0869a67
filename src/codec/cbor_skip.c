/* SPDX-License-Identifier: Apache-2.0 */
/* Passing over one item of any kind: nested ones on a stack of bounded depth, not by recursion. */
#include "codec/cbor.h"

#include "codec/cbor_head.h"

/* What is open around the item that cbor_skip stands at. */
struct level {
    uint64_t left;         /* items to come, when definite */
    bool indefinite;       /* ends with a break */
    bool is_map;           /* an indefinite one: its break may come after a value only */
    bool is_chunks;        /* of a string: definite strings of major type chunk */
    bool odd;              /* a key without its value, in an indefinite map */
    enum cbor_major chunk; /* with is_chunks */
};

struct levels {
    struct level open[CBOR_DEPTH_MAX];
    size_t count;
};

static void open_level(struct cbor_reader *r, struct levels *levels, struct level level)
{
    if (levels->count == CBOR_DEPTH_MAX)
        cbor_fail(r);
    else
        levels->open[levels->count++] = level;
}

/* Counts one item in the innermost level, and closes levels that are thereby full. */
static void count_item(struct levels *levels)
{
    while (levels->count > 0) {
        struct level *inner = &levels->open[levels->count - 1];
        inner->odd = !inner->odd;
        if (inner->indefinite || --inner->left > 0)
            return;
        levels->count--; /* and its own end is an item of the level around it */
    }
}

/* A break: the innermost level must be waiting for one. */
static void close_level(struct cbor_reader *r, struct levels *levels)
{
    const struct level *inner = levels->count > 0 ? &levels->open[levels->count - 1] : NULL;
    if (inner == NULL || !inner->indefinite || (inner->is_map && inner->odd)) {
        cbor_fail(r);
        return;
    }
    levels->count--;
    count_item(levels);
}

static void skip_container(struct cbor_reader *r, struct levels *levels,
                           const struct cbor_head *head)
{
    bool is_map = head->major == CBOR_MAJOR_MAP;
    if (head->info == CBOR_INFO_INDEFINITE) {
        open_level(r, levels, (struct level){.indefinite = true, .is_map = is_map});
        return;
    }
    uint64_t each = head->major == CBOR_MAJOR_MAP ? 2 : 1;
    if (head->argument > cbor_bytes_left(r) / each)
        cbor_fail(r);
    else if (head->argument == 0)
        count_item(levels);
    else
        open_level(r, levels, (struct level){.left = head->argument * each});
}

static void skip_string(struct cbor_reader *r, struct levels *levels, const struct cbor_head *head)
{
    if (head->info == CBOR_INFO_INDEFINITE) {
        open_level(r, levels,
                   (struct level){.indefinite = true, .is_chunks = true, .chunk = head->major});
        return;
    }
    (void)cbor_take(r, head->argument);
    count_item(levels);
}

/* Whether an item of this head may stand where the reader is. */
static bool is_expected(const struct levels *levels, const struct cbor_head *head)
{
    const struct level *inner = levels->count > 0 ? &levels->open[levels->count - 1] : NULL;
    if (inner == NULL || !inner->is_chunks || cbor_is_break(head))
        return true;
    return head->major == inner->chunk && head->info != CBOR_INFO_INDEFINITE;
}

static void skip_head(struct cbor_reader *r, struct levels *levels, const struct cbor_head *head)
{
    if (!is_expected(levels, head)) {
        cbor_fail(r);
        return;
    }
    switch (head->major) {
    case CBOR_MAJOR_BYTES:
    case CBOR_MAJOR_TEXT:
        skip_string(r, levels, head);
        break;
    case CBOR_MAJOR_ARRAY:
    case CBOR_MAJOR_MAP:
        skip_container(r, levels, head);
        break;
    case CBOR_MAJOR_TAG: /* holds one item: a level, so that tags upon tags are bounded too */
        open_level(r, levels, (struct level){.left = 1});
        break;
    case CBOR_MAJOR_OTHER:
        if (cbor_is_break(head)) {
            close_level(r, levels);
            break;
        }
        count_item(levels);
        break;
    case CBOR_MAJOR_UNSIGNED:
    case CBOR_MAJOR_NEGATIVE:
        count_item(levels);
        break;
    }
}

struct bytes cbor_skip(struct cbor_reader *r)
{
    size_t start = r->at;
    struct levels levels = {.count = 0};
    struct cbor_head head;
    do {
        if (cbor_read_head(r, &head))
            skip_head(r, &levels, &head);
    } while (!r->failed && levels.count > 0);
    if (r->failed)
        return bytes_of(NULL, 0);
    return bytes_of(r->input.at + start, r->at - start);
}
