/* SPDX-License-Identifier: Apache-2.0 */
/* The reader works on heads (RFC 8949, 3): a major type, additional information and an argument. */
#include "codec/cbor.h"

#include "codec/cbor_internal.h"
#include "codec/utf8.h"

#define BREAK 0xff

struct cbor_reader cbor_reader(struct bytes input)
{
    return (struct cbor_reader){.input = input};
}

static size_t bytes_left(const struct cbor_reader *r)
{
    return r->input.len - r->at;
}

static bool fail(struct cbor_reader *r)
{
    r->failed = true;
    return false;
}

/* Whether a head may say "indefinite length": strings, arrays, maps, and the break itself. */
static bool may_be_indefinite(enum cbor_type major)
{
    return major != CBOR_UNSIGNED && major != CBOR_NEGATIVE && major != CBOR_TAG;
}

bool cbor_read_head(struct cbor_reader *r, struct cbor_head *head)
{
    *head = (struct cbor_head){.major = CBOR_SIMPLE};
    if (r->failed || bytes_left(r) == 0)
        return fail(r);
    uint8_t first = r->input.at[r->at++];
    head->major = (enum cbor_type)(first >> 5);
    head->info = first & 0x1f;
    if (head->info < CBOR_INFO_1_BYTE) {
        head->argument = head->info;
        return true;
    }
    if (head->info == CBOR_INFO_INDEFINITE)
        return may_be_indefinite(head->major) || fail(r);
    if (head->info > CBOR_INFO_8_BYTES)
        return fail(r);
    size_t width = (size_t)1 << (head->info - CBOR_INFO_1_BYTE);
    if (bytes_left(r) < width)
        return fail(r);
    for (size_t i = 0; i < width; i++)
        head->argument = head->argument << 8 | r->input.at[r->at++];
    /* RFC 8949, 3.3: a simple value below 32 in two bytes is not well-formed. */
    if (head->major == CBOR_SIMPLE && head->info == CBOR_INFO_1_BYTE && head->argument < 32)
        return fail(r);
    return true;
}

uint64_t cbor_read_definite(struct cbor_reader *r, enum cbor_type major)
{
    struct cbor_head head;
    if (cbor_read_head(r, &head) && head.major == major && head.info != CBOR_INFO_INDEFINITE)
        return head.argument;
    fail(r);
    return 0;
}

static struct bytes take(struct cbor_reader *r, uint64_t len)
{
    if (r->failed || len > bytes_left(r)) {
        fail(r);
        return bytes_of(NULL, 0);
    }
    struct bytes view = bytes_of(r->input.at + r->at, (size_t)len);
    r->at += (size_t)len;
    return view;
}

struct bytes cbor_bytes(struct cbor_reader *r)
{
    return take(r, cbor_read_definite(r, CBOR_BYTES));
}

static bool is_utf8(struct bytes text)
{
    const uint8_t *end = text.len > 0 ? text.at + text.len : text.at;
    for (const uint8_t *at = text.at; at < end;) {
        unsigned len = *at < 0x80 ? 1 : utf8_length(at, end);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

struct bytes cbor_text(struct cbor_reader *r)
{
    struct bytes text = take(r, cbor_read_definite(r, CBOR_TEXT));
    if (is_utf8(text))
        return text;
    fail(r);
    return bytes_of(NULL, 0);
}

struct cbor_items cbor_enter(struct cbor_reader *r, enum cbor_type major, size_t items_each)
{
    struct cbor_head head;
    if (!cbor_read_head(r, &head) || head.major != major ||
        head.argument > bytes_left(r) / items_each) {
        fail(r);
        return (struct cbor_items){0};
    }
    return (struct cbor_items){.left = head.argument,
                               .indefinite = head.info == CBOR_INFO_INDEFINITE};
}

struct cbor_items cbor_enter_map(struct cbor_reader *r)
{
    return cbor_enter(r, CBOR_MAP, 2);
}

bool cbor_next(struct cbor_reader *r, struct cbor_items *items)
{
    if (r->failed)
        return false;
    if (!items->indefinite) {
        if (items->left == 0)
            return false;
        items->left--;
        return true;
    }
    if (bytes_left(r) == 0)
        return fail(r);
    if (r->input.at[r->at] != BREAK)
        return true;
    r->at++;
    items->indefinite = false;
    items->left = 0;
    return false;
}

/* Passes over one item within so many levels of others. */
/* NOLINTNEXTLINE(misc-no-recursion): at most CBOR_DEPTH_MAX deep */
static void skip(struct cbor_reader *r, unsigned levels)
{
    struct cbor_head head;
    if (levels > CBOR_DEPTH_MAX)
        fail(r);
    if (!cbor_read_head(r, &head))
        return;
    bool indefinite = head.info == CBOR_INFO_INDEFINITE;
    struct cbor_items items = {.left = head.argument, .indefinite = indefinite};
    switch (head.major) {
    case CBOR_BYTES:
    case CBOR_TEXT:
        if (!indefinite)
            (void)take(r, head.argument);
        while (indefinite && cbor_next(r, &items)) /* in definite chunks of the same type */
            (void)take(r, cbor_read_definite(r, head.major));
        break;
    case CBOR_ARRAY:
        while (cbor_next(r, &items))
            skip(r, levels + 1);
        break;
    case CBOR_MAP:
        while (cbor_next(r, &items)) {
            skip(r, levels + 1);
            skip(r, levels + 1);
        }
        break;
    case CBOR_TAG:
        skip(r, levels + 1);
        break;
    default: /* numbers and simple values are their heads; a break ends nothing here */
        r->failed = indefinite;
        break;
    }
}

struct bytes cbor_skip(struct cbor_reader *r)
{
    size_t start = r->at;
    skip(r, 0);
    return r->failed ? bytes_of(NULL, 0) : bytes_of(r->input.at + start, r->at - start);
}

bool cbor_reader_done(const struct cbor_reader *r)
{
    return !r->failed && bytes_left(r) == 0;
}

void cbor_put_head(struct buffer *out, enum cbor_type major, uint64_t argument)
{
    uint8_t type = (uint8_t)(major << 5);
    if (argument < CBOR_INFO_1_BYTE) {
        buffer_byte(out, (uint8_t)(type | argument));
        return;
    }
    unsigned width_log2 = argument <= UINT8_MAX    ? 0
                          : argument <= UINT16_MAX ? 1
                          : argument <= UINT32_MAX ? 2
                                                   : 3;
    buffer_byte(out, (uint8_t)(type | (CBOR_INFO_1_BYTE + width_log2)));
    for (unsigned left = 1u << width_log2; left > 0; left--)
        buffer_byte(out, (uint8_t)(argument >> (8 * (left - 1))));
}

void cbor_put_bytes(struct buffer *out, struct bytes bytes)
{
    cbor_put_head(out, CBOR_BYTES, bytes.len);
    buffer_append(out, bytes);
}

void cbor_put_text(struct buffer *out, const char *text)
{
    struct bytes bytes = bytes_text(text);
    cbor_put_head(out, CBOR_TEXT, bytes.len);
    buffer_append(out, bytes);
}

void cbor_put_unsigned(struct buffer *out, uint64_t value)
{
    cbor_put_head(out, CBOR_UNSIGNED, value);
}

void cbor_put_map(struct buffer *out, uint64_t pairs)
{
    cbor_put_head(out, CBOR_MAP, pairs);
}

void cbor_put_null(struct buffer *out)
{
    cbor_put_head(out, CBOR_SIMPLE, CBOR_NULL);
}
