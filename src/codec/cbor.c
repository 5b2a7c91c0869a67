/* SPDX-License-Identifier: Apache-2.0 */
/* The reader works on heads (RFC 8949, 3): a major type, additional information and an argument. */
#include "codec/cbor.h"

enum major {
    MAJOR_UNSIGNED,
    MAJOR_NEGATIVE,
    MAJOR_BYTES,
    MAJOR_TEXT,
    MAJOR_ARRAY,
    MAJOR_MAP,
    MAJOR_TAG,
    MAJOR_OTHER, /* simple values, floats and the break */
};

/* Additional information: up to 23 the argument itself, then the width of one that follows. */
#define INFO_1_BYTE     24
#define INFO_8_BYTES    27
#define INFO_INDEFINITE 31

#define SIMPLE_FALSE 20
#define SIMPLE_TRUE  21
#define SIMPLE_NULL  22

#define BREAK 0xff

struct head {
    enum major major;
    unsigned info;
    uint64_t argument; /* 0 when indefinite */
};

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
static bool may_be_indefinite(enum major major)
{
    return major != MAJOR_UNSIGNED && major != MAJOR_NEGATIVE && major != MAJOR_TAG;
}

static bool read_head(struct cbor_reader *r, struct head *head)
{
    *head = (struct head){.major = MAJOR_OTHER};
    if (r->failed || bytes_left(r) == 0)
        return fail(r);
    uint8_t first = r->input.at[r->at++];
    head->major = (enum major)(first >> 5);
    head->info = first & 0x1f;
    if (head->info < INFO_1_BYTE) {
        head->argument = head->info;
        return true;
    }
    if (head->info == INFO_INDEFINITE)
        return may_be_indefinite(head->major) || fail(r);
    if (head->info > INFO_8_BYTES)
        return fail(r);
    size_t width = (size_t)1 << (head->info - INFO_1_BYTE);
    if (bytes_left(r) < width)
        return fail(r);
    for (size_t i = 0; i < width; i++)
        head->argument = head->argument << 8 | r->input.at[r->at++];
    /* RFC 8949, 3.3: a simple value below 32 in two bytes is not well-formed. */
    if (head->major == MAJOR_OTHER && head->info == INFO_1_BYTE && head->argument < 32)
        return fail(r);
    return true;
}

static bool is_break(const struct head *head)
{
    return head->major == MAJOR_OTHER && head->info == INFO_INDEFINITE;
}

enum cbor_type cbor_peek(const struct cbor_reader *r)
{
    struct cbor_reader ahead = *r;
    struct head head;
    if (!read_head(&ahead, &head))
        return CBOR_INVALID;
    if (is_break(&head))
        return CBOR_BREAK;
    if (head.major == MAJOR_OTHER)
        return head.info <= INFO_1_BYTE ? CBOR_SIMPLE : CBOR_FLOAT;
    return (enum cbor_type)head.major;
}

/* A head of the wanted major type and a definite argument. */
static bool read_definite(struct cbor_reader *r, enum major wanted, uint64_t *argument)
{
    struct head head;
    *argument = 0;
    if (!read_head(r, &head) || head.major != wanted || head.info == INFO_INDEFINITE)
        return fail(r);
    *argument = head.argument;
    return true;
}

uint64_t cbor_unsigned(struct cbor_reader *r)
{
    uint64_t value;
    (void)read_definite(r, MAJOR_UNSIGNED, &value);
    return value;
}

int64_t cbor_integer(struct cbor_reader *r)
{
    struct head head;
    bool is_integer = read_head(r, &head) &&
                      (head.major == MAJOR_UNSIGNED || head.major == MAJOR_NEGATIVE) &&
                      head.argument <= INT64_MAX;
    if (!is_integer) {
        fail(r);
        return 0;
    }
    int64_t value = (int64_t)head.argument;
    return head.major == MAJOR_UNSIGNED ? value : -1 - value;
}

uint64_t cbor_tag(struct cbor_reader *r)
{
    uint64_t number;
    (void)read_definite(r, MAJOR_TAG, &number);
    return number;
}

static struct bytes take(struct cbor_reader *r, uint64_t len)
{
    if (len > bytes_left(r)) {
        fail(r);
        return bytes_of(NULL, 0);
    }
    struct bytes view = bytes_of(r->input.at + r->at, (size_t)len);
    r->at += (size_t)len;
    return view;
}

static struct bytes read_string(struct cbor_reader *r, enum major wanted)
{
    uint64_t len;
    if (!read_definite(r, wanted, &len))
        return bytes_of(NULL, 0);
    return take(r, len);
}

struct bytes cbor_bytes(struct cbor_reader *r)
{
    return read_string(r, MAJOR_BYTES);
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
    struct bytes text = read_string(r, MAJOR_TEXT);
    if (is_utf8(text))
        return text;
    fail(r);
    return bytes_of(NULL, 0);
}

bool cbor_boolean(struct cbor_reader *r)
{
    uint64_t value;
    /* A float's argument could equal a simple value: ask for the type first. */
    if (cbor_peek(r) != CBOR_SIMPLE || !read_definite(r, MAJOR_OTHER, &value) ||
        (value != SIMPLE_FALSE && value != SIMPLE_TRUE)) {
        fail(r);
        return false;
    }
    return value == SIMPLE_TRUE;
}

bool cbor_null(struct cbor_reader *r)
{
    if (r->failed || bytes_left(r) == 0 || r->input.at[r->at] != (MAJOR_OTHER << 5 | SIMPLE_NULL))
        return false;
    r->at++;
    return true;
}

/* Every item takes a byte at least, so a larger count is a lie that need not be walked to be told.
 */
static struct cbor_items enter(struct cbor_reader *r, enum major wanted, size_t items_each)
{
    struct head head;
    struct cbor_items none = {0};
    if (!read_head(r, &head) || head.major != wanted ||
        head.argument > bytes_left(r) / items_each) {
        fail(r);
        return none;
    }
    return (struct cbor_items){.left = head.argument, .indefinite = head.info == INFO_INDEFINITE};
}

struct cbor_items cbor_enter_array(struct cbor_reader *r)
{
    return enter(r, MAJOR_ARRAY, 1);
}

struct cbor_items cbor_enter_map(struct cbor_reader *r)
{
    return enter(r, MAJOR_MAP, 2);
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

/* What is open around the item that cbor_skip stands at. */
struct level {
    uint64_t left;    /* items to come, when definite */
    bool indefinite;  /* ends with a break */
    bool is_map;      /* an indefinite one: its break may come after a value only */
    bool is_chunks;   /* of a string: definite strings of major type chunk */
    bool odd;         /* a key without its value, in an indefinite map */
    enum major chunk; /* with is_chunks */
};

struct levels {
    struct level open[CBOR_DEPTH_MAX];
    size_t count;
};

static void open_level(struct cbor_reader *r, struct levels *levels, struct level level)
{
    if (levels->count == CBOR_DEPTH_MAX)
        fail(r);
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
        fail(r);
        return;
    }
    levels->count--;
    count_item(levels);
}

static void skip_container(struct cbor_reader *r, struct levels *levels, const struct head *head)
{
    bool is_map = head->major == MAJOR_MAP;
    if (head->info == INFO_INDEFINITE) {
        open_level(r, levels, (struct level){.indefinite = true, .is_map = is_map});
        return;
    }
    uint64_t each = head->major == MAJOR_MAP ? 2 : 1;
    if (head->argument > bytes_left(r) / each)
        fail(r);
    else if (head->argument == 0)
        count_item(levels);
    else
        open_level(r, levels, (struct level){.left = head->argument * each});
}

static void skip_string(struct cbor_reader *r, struct levels *levels, const struct head *head)
{
    if (head->info == INFO_INDEFINITE) {
        open_level(r, levels,
                   (struct level){.indefinite = true, .is_chunks = true, .chunk = head->major});
        return;
    }
    (void)take(r, head->argument);
    count_item(levels);
}

/* Whether an item of this head may stand where the reader is. */
static bool is_expected(const struct levels *levels, const struct head *head)
{
    const struct level *inner = levels->count > 0 ? &levels->open[levels->count - 1] : NULL;
    if (inner == NULL || !inner->is_chunks || is_break(head))
        return true;
    return head->major == inner->chunk && head->info != INFO_INDEFINITE;
}

static void skip_head(struct cbor_reader *r, struct levels *levels, const struct head *head)
{
    if (!is_expected(levels, head)) {
        fail(r);
        return;
    }
    switch (head->major) {
    case MAJOR_BYTES:
    case MAJOR_TEXT:
        skip_string(r, levels, head);
        break;
    case MAJOR_ARRAY:
    case MAJOR_MAP:
        skip_container(r, levels, head);
        break;
    case MAJOR_TAG: /* holds one item: a level, so that tags upon tags are bounded too */
        open_level(r, levels, (struct level){.left = 1});
        break;
    case MAJOR_OTHER:
        if (is_break(head)) {
            close_level(r, levels);
            break;
        }
        count_item(levels);
        break;
    case MAJOR_UNSIGNED:
    case MAJOR_NEGATIVE:
        count_item(levels);
        break;
    }
}

struct bytes cbor_skip(struct cbor_reader *r)
{
    size_t start = r->at;
    struct levels levels = {.count = 0};
    struct head head;
    do {
        if (read_head(r, &head))
            skip_head(r, &levels, &head);
    } while (!r->failed && levels.count > 0);
    if (r->failed)
        return bytes_of(NULL, 0);
    return bytes_of(r->input.at + start, r->at - start);
}

bool cbor_reader_done(const struct cbor_reader *r)
{
    return !r->failed && bytes_left(r) == 0;
}

/* The head with its argument in the shortest form. */
static void put_head(struct buffer *out, enum major major, uint64_t argument)
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

void cbor_put_unsigned(struct buffer *out, uint64_t value)
{
    put_head(out, MAJOR_UNSIGNED, value);
}

void cbor_put_integer(struct buffer *out, int64_t value)
{
    if (value >= 0)
        put_head(out, MAJOR_UNSIGNED, (uint64_t)value);
    else
        put_head(out, MAJOR_NEGATIVE, (uint64_t)(-1 - value));
}

void cbor_put_bytes(struct buffer *out, struct bytes bytes)
{
    put_head(out, MAJOR_BYTES, bytes.len);
    buffer_append(out, bytes);
}

void cbor_put_text(struct buffer *out, const char *text)
{
    cbor_put_text_bytes(out, bytes_text(text));
}

void cbor_put_text_bytes(struct buffer *out, struct bytes utf8)
{
    put_head(out, MAJOR_TEXT, utf8.len);
    buffer_append(out, utf8);
}

void cbor_put_array(struct buffer *out, uint64_t count)
{
    put_head(out, MAJOR_ARRAY, count);
}

void cbor_put_map(struct buffer *out, uint64_t pairs)
{
    put_head(out, MAJOR_MAP, pairs);
}

void cbor_put_map_indefinite(struct buffer *out)
{
    buffer_byte(out, MAJOR_MAP << 5 | INFO_INDEFINITE);
}

void cbor_put_break(struct buffer *out)
{
    buffer_byte(out, BREAK);
}

void cbor_put_boolean(struct buffer *out, bool value)
{
    buffer_byte(out, MAJOR_OTHER << 5 | (value ? SIMPLE_TRUE : SIMPLE_FALSE));
}

void cbor_put_null(struct buffer *out)
{
    buffer_byte(out, MAJOR_OTHER << 5 | SIMPLE_NULL);
}
