/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/ber.h"

#define CONSTRUCTED   0x20
#define INDEFINITE    0x80
#define LONG_TAG_MASK 0x1f

void ber_init(struct ber *r, struct bytes input)
{
    *r = (struct ber){.input = input};
    r->levels[0].end = input.len;
}

static const struct ber_level *level(const struct ber *r)
{
    return &r->levels[r->depth];
}

static size_t left(const struct ber *r)
{
    return level(r)->end - r->at;
}

/* An indefinite level ends at 00 00, a definite one at its last byte. */
static bool at_end(const struct ber *r)
{
    const uint8_t *next = r->input.at + r->at;
    if (level(r)->indefinite)
        return left(r) >= 2 && next[0] == 0 && next[1] == 0;
    return left(r) == 0;
}

uint8_t ber_peek(const struct ber *r)
{
    if (r->failed || left(r) == 0 || at_end(r))
        return 0;
    return r->input.at[r->at];
}

/* Length octets: one below 80, or 80 + n and n octets; 80 alone: indefinite. */
static bool length(struct ber *r, size_t *out, bool *indefinite)
{
    if (left(r) == 0)
        return false;
    uint8_t first = r->input.at[r->at++];
    *indefinite = first == INDEFINITE;
    *out = first < INDEFINITE ? first : 0;
    size_t octets = first < INDEFINITE ? 0 : (size_t)(first - INDEFINITE);
    if (octets > 4 || octets > left(r))
        return false;
    for (size_t i = 0; i < octets; i++)
        *out = *out << 8 | r->input.at[r->at++];
    return *out <= left(r);
}

static bool header(struct ber *r, uint8_t tag, size_t *len, bool *indefinite)
{
    if (!r->failed) {
        r->failed = tag == 0 || (tag & LONG_TAG_MASK) == LONG_TAG_MASK || ber_peek(r) != tag;
        r->at += r->failed ? 0 : 1;
    }
    if (!r->failed)
        r->failed = !length(r, len, indefinite);
    return !r->failed;
}

void ber_enter(struct ber *r, uint8_t tag)
{
    size_t len;
    bool indefinite;
    if (!header(r, tag, &len, &indefinite))
        return;
    if ((tag & CONSTRUCTED) == 0 || r->depth + 1 == BER_DEPTH_MAX) {
        r->failed = true;
        return;
    }
    size_t end = indefinite ? level(r)->end : r->at + len;
    r->levels[++r->depth] = (struct ber_level){.end = end, .indefinite = indefinite};
}

void ber_leave(struct ber *r)
{
    if (!r->failed)
        r->failed = r->depth == 0 || !at_end(r);
    if (r->failed)
        return;
    if (level(r)->indefinite)
        r->at += 2;
    r->depth--;
}

struct bytes ber_take(struct ber *r, uint8_t tag)
{
    size_t len;
    bool indefinite;
    if (!header(r, tag, &len, &indefinite))
        return bytes_of(NULL, 0);
    if (indefinite || (tag & CONSTRUCTED) != 0) {
        r->failed = true;
        return bytes_of(NULL, 0);
    }
    struct bytes content = bytes_of(r->input.at + r->at, len);
    r->at += len;
    return content;
}

void ber_skip(struct ber *r)
{
    size_t len;
    bool indefinite;
    if (!header(r, ber_peek(r), &len, &indefinite))
        return;
    if (indefinite)
        r->failed = true;
    else
        r->at += len;
}

bool ber_done(const struct ber *r)
{
    return !r->failed && r->depth == 0 && left(r) == 0;
}
