/* SPDX-License-Identifier: Apache-2.0 */
/* The reader works on heads (RFC 8949, 3): a major type, additional information and an argument. */
#include "codec/cbor.h"

#include "codec/cbor_head.h"

struct cbor_reader cbor_reader(struct bytes input)
{
    return (struct cbor_reader){.input = input};
}

bool cbor_fail(struct cbor_reader *r)
{
    r->failed = true;
    return false;
}

/* Whether a head may say "indefinite length": strings, arrays, maps, and the break itself. */
static bool may_be_indefinite(enum cbor_major major)
{
    return major != CBOR_MAJOR_UNSIGNED && major != CBOR_MAJOR_NEGATIVE && major != CBOR_MAJOR_TAG;
}

bool cbor_read_head(struct cbor_reader *r, struct cbor_head *head)
{
    *head = (struct cbor_head){.major = CBOR_MAJOR_OTHER};
    if (r->failed || cbor_bytes_left(r) == 0)
        return cbor_fail(r);
    uint8_t first = r->input.at[r->at++];
    head->major = (enum cbor_major)(first >> 5);
    head->info = first & 0x1f;
    if (head->info < CBOR_INFO_1_BYTE) {
        head->argument = head->info;
        return true;
    }
    if (head->info == CBOR_INFO_INDEFINITE)
        return may_be_indefinite(head->major) || cbor_fail(r);
    if (head->info > CBOR_INFO_8_BYTES)
        return cbor_fail(r);
    size_t width = (size_t)1 << (head->info - CBOR_INFO_1_BYTE);
    if (cbor_bytes_left(r) < width)
        return cbor_fail(r);
    for (size_t i = 0; i < width; i++)
        head->argument = head->argument << 8 | r->input.at[r->at++];
    /* RFC 8949, 3.3: a simple value below 32 in two bytes is not well-formed. */
    if (head->major == CBOR_MAJOR_OTHER && head->info == CBOR_INFO_1_BYTE && head->argument < 32)
        return cbor_fail(r);
    return true;
}

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
    struct cbor_reader ahead = *r;
    struct cbor_head head;
    if (!cbor_read_head(&ahead, &head))
        return CBOR_INVALID;
    if (cbor_is_break(&head))
        return CBOR_BREAK;
    if (head.major == CBOR_MAJOR_OTHER)
        return head.info <= CBOR_INFO_1_BYTE ? CBOR_SIMPLE : CBOR_FLOAT;
    return (enum cbor_type)head.major;
}

/* A head of the wanted major type and a definite argument. */
static bool read_definite(struct cbor_reader *r, enum cbor_major wanted, uint64_t *argument)
{
    struct cbor_head head;
    *argument = 0;
    if (!cbor_read_head(r, &head) || head.major != wanted || head.info == CBOR_INFO_INDEFINITE)
        return cbor_fail(r);
    *argument = head.argument;
    return true;
}

uint64_t cbor_unsigned(struct cbor_reader *r)
{
    uint64_t value;
    (void)read_definite(r, CBOR_MAJOR_UNSIGNED, &value);
    return value;
}

int64_t cbor_integer(struct cbor_reader *r)
{
    struct cbor_head head;
    bool is_integer = cbor_read_head(r, &head) &&
                      (head.major == CBOR_MAJOR_UNSIGNED || head.major == CBOR_MAJOR_NEGATIVE) &&
                      head.argument <= INT64_MAX;
    if (!is_integer) {
        cbor_fail(r);
        return 0;
    }
    int64_t value = (int64_t)head.argument;
    return head.major == CBOR_MAJOR_UNSIGNED ? value : -1 - value;
}

uint64_t cbor_tag(struct cbor_reader *r)
{
    uint64_t number;
    (void)read_definite(r, CBOR_MAJOR_TAG, &number);
    return number;
}

struct bytes cbor_take(struct cbor_reader *r, uint64_t len)
{
    if (len > cbor_bytes_left(r)) {
        cbor_fail(r);
        return bytes_of(NULL, 0);
    }
    struct bytes view = bytes_of(r->input.at + r->at, (size_t)len);
    r->at += (size_t)len;
    return view;
}

static struct bytes read_string(struct cbor_reader *r, enum cbor_major wanted)
{
    uint64_t len;
    if (!read_definite(r, wanted, &len))
        return bytes_of(NULL, 0);
    return cbor_take(r, len);
}

struct bytes cbor_bytes(struct cbor_reader *r)
{
    return read_string(r, CBOR_MAJOR_BYTES);
}

/*
 * The length of the UTF-8 sequence at the front of text, 0 if there is none (RFC 3629, 4: the
 * second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF).
 */
static size_t utf8_sequence(struct bytes text)
{
    uint8_t first = text.at[0];
    if (first < 0x80)
        return 1;
    size_t len = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
    if (first < 0xc2 || first > 0xf4 || text.len < len)
        return 0;
    uint8_t low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    uint8_t high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (text.at[1] < low || text.at[1] > high)
        return 0;
    for (size_t i = 2; i < len; i++)
        if ((text.at[i] & 0xc0) != 0x80)
            return 0;
    return len;
}

static bool is_utf8(struct bytes text)
{
    while (text.len > 0) {
        size_t len = utf8_sequence(text);
        if (len == 0)
            return false;
        text = bytes_from(text, len);
    }
    return true;
}

struct bytes cbor_text(struct cbor_reader *r)
{
    struct bytes text = read_string(r, CBOR_MAJOR_TEXT);
    if (is_utf8(text))
        return text;
    cbor_fail(r);
    return bytes_of(NULL, 0);
}

bool cbor_boolean(struct cbor_reader *r)
{
    uint64_t value;
    /* A float's argument could equal a simple value: ask for the type first. */
    if (cbor_peek(r) != CBOR_SIMPLE || !read_definite(r, CBOR_MAJOR_OTHER, &value) ||
        (value != CBOR_SIMPLE_FALSE && value != CBOR_SIMPLE_TRUE)) {
        cbor_fail(r);
        return false;
    }
    return value == CBOR_SIMPLE_TRUE;
}

bool cbor_null(struct cbor_reader *r)
{
    if (r->failed || cbor_bytes_left(r) == 0 ||
        r->input.at[r->at] != (CBOR_MAJOR_OTHER << 5 | CBOR_SIMPLE_NULL))
        return false;
    r->at++;
    return true;
}

/* Every item takes a byte at least, so a larger count is a lie that need not be walked to be told.
 */
static struct cbor_items enter(struct cbor_reader *r, enum cbor_major wanted, size_t items_each)
{
    struct cbor_head head;
    struct cbor_items none = {0};
    if (!cbor_read_head(r, &head) || head.major != wanted ||
        head.argument > cbor_bytes_left(r) / items_each) {
        cbor_fail(r);
        return none;
    }
    return (struct cbor_items){.left = head.argument,
                               .indefinite = head.info == CBOR_INFO_INDEFINITE};
}

struct cbor_items cbor_enter_array(struct cbor_reader *r)
{
    return enter(r, CBOR_MAJOR_ARRAY, 1);
}

struct cbor_items cbor_enter_map(struct cbor_reader *r)
{
    return enter(r, CBOR_MAJOR_MAP, 2);
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
    if (cbor_bytes_left(r) == 0)
        return cbor_fail(r);
    if (r->input.at[r->at] != CBOR_BREAK_BYTE)
        return true;
    r->at++;
    items->indefinite = false;
    items->left = 0;
    return false;
}

bool cbor_reader_done(const struct cbor_reader *r)
{
    return !r->failed && cbor_bytes_left(r) == 0;
}
