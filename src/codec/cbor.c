/* SPDX-License-Identifier: Apache-2.0 */
/* The reader works on heads (RFC 8949, 3): a major type, additional information, an argument. */
#include "codec/cbor.h"

#include "codec/utf8.h"

/* Additional information: up to 23 the argument itself, then the width of one that follows. */
#define INFO_1_BYTE     24
#define INFO_8_BYTES    27
#define INFO_INDEFINITE 31

#define BREAK 0xff

struct cbor_reader cbor_reader(struct bytes input)
{
    return (struct cbor_reader){.input = input};
}

static size_t bytes_left(const struct cbor_reader *r)
{
    return r->input.len - r->at;
}

bool cbor_fail(struct cbor_reader *r, enum cbor_failure why)
{
    if (r->failed == CBOR_FINE)
        r->failed = why;
    return false;
}

static bool is_container(enum cbor_type major)
{
    return major == CBOR_ARRAY || major == CBOR_MAP;
}

bool cbor_read_head(struct cbor_reader *r, struct cbor_head *head)
{
    *head = (struct cbor_head){.major = CBOR_SIMPLE};
    if (r->failed || bytes_left(r) == 0)
        return cbor_fail(r, CBOR_ENDS_EARLY);
    uint8_t first = r->input.at[r->at++], info = first & 0x1f;
    head->major = (enum cbor_type)(first >> 5);
    if (info < INFO_1_BYTE) {
        head->argument = info;
        return true;
    }
    bool simple = head->major == CBOR_SIMPLE;
    head->indefinite = info == INFO_INDEFINITE;
    if (head->indefinite && (simple || is_container(head->major)))
        return true;
    if (info > INFO_8_BYTES || simple) /* a simple value of more bytes is a float, or unknown */
        return cbor_fail(r, CBOR_BAD_FORM);
    size_t width = (size_t)1 << (info - INFO_1_BYTE);
    if (bytes_left(r) < width)
        return cbor_fail(r, CBOR_ENDS_EARLY);
    for (size_t i = 0; i < width; i++)
        head->argument = head->argument << 8 | r->input.at[r->at++];
    return true;
}

uint64_t cbor_read_definite(struct cbor_reader *r, enum cbor_type major)
{
    struct cbor_head head;
    if (cbor_read_head(r, &head) && head.major == major && !head.indefinite)
        return head.argument;
    cbor_fail(r, CBOR_WRONG_TYPE);
    return 0;
}

static struct bytes take(struct cbor_reader *r, uint64_t len)
{
    if (r->failed || len > bytes_left(r)) {
        cbor_fail(r, CBOR_ENDS_EARLY);
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
    cbor_fail(r, CBOR_BAD_FORM);
    return bytes_of(NULL, 0);
}

struct cbor_items cbor_enter(struct cbor_reader *r, enum cbor_type container)
{
    struct cbor_head head;
    if (!cbor_read_head(r, &head) || head.major != container)
        cbor_fail(r, CBOR_WRONG_TYPE);
    /* Each item takes a byte at least, so a larger count cannot be true and is refused at once. */
    else if (head.argument > bytes_left(r) / (container == CBOR_MAP ? 2 : 1))
        cbor_fail(r, CBOR_ENDS_EARLY);
    if (r->failed)
        return (struct cbor_items){0};
    return (struct cbor_items){.left = head.argument, .indefinite = head.indefinite};
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
        return cbor_fail(r, CBOR_ENDS_EARLY);
    if (r->input.at[r->at] != BREAK)
        return true;
    r->at++;
    items->indefinite = false;
    items->left = 0;
    return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): at most CBOR_DEPTH_MAX deep */
static void skip(struct cbor_reader *r, unsigned levels)
{
    struct cbor_head head;
    if (levels > CBOR_DEPTH_MAX)
        cbor_fail(r, CBOR_TOO_DEEP);
    if (!cbor_read_head(r, &head))
        return;
    struct cbor_items items = {.left = head.argument, .indefinite = head.indefinite};
    while (is_container(head.major) && cbor_next(r, &items))
        for (int left = head.major == CBOR_MAP ? 2 : 1; left > 0; left--)
            skip(r, levels + 1);
    if (head.major == CBOR_BYTES || head.major == CBOR_TEXT)
        (void)take(r, head.argument);
    if (head.major == CBOR_TAG || (head.major == CBOR_SIMPLE && head.indefinite))
        cbor_fail(r, CBOR_BAD_FORM); /* a tag, or a break that ends nothing */
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
    if (argument < INFO_1_BYTE) {
        buffer_byte(out, (uint8_t)(type | argument));
        return;
    }
    unsigned width_log2 = argument <= UINT8_MAX    ? 0
                          : argument <= UINT16_MAX ? 1
                          : argument <= UINT32_MAX ? 2
                                                   : 3;
    buffer_byte(out, (uint8_t)(type | (INFO_1_BYTE + width_log2)));
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
