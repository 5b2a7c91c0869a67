/* SPDX-License-Identifier: Apache-2.0 */
/* Reading an index: walking, unescaping, integers. */
#include "codec/json.h"

#include "codec/json_internal.h"

int32_t json_hex4(const uint8_t *at)
{
    int32_t value = 0;
    for (int i = 0; i < 4; i++) {
        uint8_t c = at[i], letter = c | 0x20;
        if (c >= '0' && c <= '9')
            value = value << 4 | (c - '0');
        else if (letter >= 'a' && letter <= 'f')
            value = value << 4 | (letter - 'a' + 10);
        else
            return -1;
    }
    return value;
}

static size_t utf8_encode(uint8_t out[4], uint32_t c)
{
    size_t len = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t mark[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (uint8_t)(0x80 | (c & 0x3F));
    out[0] = (uint8_t)(mark[len] | c);
    return len;
}

struct bytes json_raw(const struct json *doc, json_value v)
{
    return bytes_of(doc->text.at + doc->nodes[v].start, doc->nodes[v].end - doc->nodes[v].start);
}

static bool is(const struct json *doc, json_value v, enum json_type type)
{
    return v < doc->count && doc->nodes[v].type == type;
}

/* A string that is read piece by piece: runs as they stand, and single escaped characters. */
struct pieces {
    struct bytes rest;   /* what is still to come; the parser has checked the escapes in it */
    bool escaped;        /* a backslash in it begins an escape */
    bool lone_surrogate; /* one has come */
    uint8_t character[4];
};

static struct pieces pieces_of(const struct json *doc, json_value v)
{
    struct bytes raw = json_raw(doc, v);
    return (struct pieces){.rest = bytes_of(raw.at + 1, raw.len - 2),
                           .escaped = doc->nodes[v].escaped};
}

/* Takes the second half of a surrogate pair off the front of rest; 0 if it does not come next. */
static uint32_t take_low_surrogate(struct bytes *rest)
{
    if (rest->len < 6 || rest->at[0] != '\\' || rest->at[1] != 'u')
        return 0;
    uint32_t low = (uint32_t)json_hex4(rest->at + 2);
    if (low < 0xDC00 || low > 0xDFFF)
        return 0;
    *rest = bytes_from(*rest, 6);
    return low;
}

/* Takes an escape off the front of pieces->rest and returns its character. */
static uint32_t take_escape(struct pieces *pieces)
{
    static const char names[] = "bfnrt", controls[] = "\b\f\n\r\t";
    const uint8_t *at = pieces->rest.at;
    const char *name = strchr(names, at[1]);
    bool unicode = at[1] == 'u';
    pieces->rest = bytes_from(pieces->rest, unicode ? 6 : 2);
    if (!unicode)
        return name != NULL ? (uint8_t)controls[name - names] : at[1];
    uint32_t c = (uint32_t)json_hex4(at + 2);
    if (c < 0xD800 || c > 0xDFFF)
        return c;
    uint32_t low = c < 0xDC00 ? take_low_surrogate(&pieces->rest) : 0;
    if (low != 0)
        return 0x10000 + ((c - 0xD800) << 10 | (low - 0xDC00));
    pieces->lone_surrogate = true;
    return c;
}

/* The next piece, valid until the next call; empty at the end. */
static struct bytes next_piece(struct pieces *pieces)
{
    struct bytes run = pieces->rest;
    if (pieces->escaped && run.len > 0) {
        if (run.at[0] == '\\')
            return bytes_of(pieces->character, utf8_encode(pieces->character, take_escape(pieces)));
        const uint8_t *stop = memchr(run.at, '\\', run.len);
        run.len = stop == NULL ? run.len : (size_t)(stop - run.at);
    }
    pieces->rest = bytes_from(pieces->rest, run.len);
    return run;
}

/* The order of two strings by their unescaped bytes: below, equal to or above 0. */
static int compare(struct pieces a, struct pieces b)
{
    struct bytes x = next_piece(&a), y = next_piece(&b);
    while (x.len > 0 && y.len > 0) {
        size_t n = x.len < y.len ? x.len : y.len;
        int order = memcmp(x.at, y.at, n);
        if (order != 0)
            return order;
        x = n < x.len ? bytes_from(x, n) : next_piece(&a);
        y = n < y.len ? bytes_from(y, n) : next_piece(&b);
    }
    return (x.len > 0) - (y.len > 0);
}

json_value json_first(const struct json *doc, json_value container)
{
    if (container >= doc->count || doc->nodes[container].next == container + 1)
        return JSON_NONE;
    return container + 1;
}

json_value json_next(const struct json *doc, json_value container, json_value before)
{
    json_value value = doc->nodes[container].type == JSON_OBJECT ? before + 1 : before;
    json_value next = doc->nodes[value].next;
    return next < doc->nodes[container].next ? next : JSON_NONE;
}

json_value json_member(const struct json *doc, json_value v, const char *name)
{
    if (!is(doc, v, JSON_OBJECT))
        return JSON_NONE;
    for (json_value n = json_first(doc, v); n != JSON_NONE; n = json_next(doc, v, n))
        if (json_string_is(doc, n, name))
            return n + 1;
    return JSON_NONE;
}

bool json_string(const struct json *doc, json_value v, struct buffer *out)
{
    if (!is(doc, v, JSON_STRING))
        return false;
    const size_t len = out->len;
    struct pieces pieces = pieces_of(doc, v);
    for (struct bytes piece = next_piece(&pieces); piece.len > 0; piece = next_piece(&pieces))
        buffer_append(out, piece);
    if (pieces.lone_surrogate && !out->failed)
        buffer_truncate(out, len);
    return !pieces.lone_surrogate && !out->failed;
}

bool json_copy_string(const struct json *doc, json_value v, char *out, size_t size)
{
    BUFFER_AUTO text;
    buffer_init_secret(&text, size);
    bool copied = json_string(doc, v, &text);
    buffer_byte(&text, 0);
    if (!copied || text.failed || strlen((const char *)text.at) + 1 != text.len)
        return false;
    memcpy(out, text.at, text.len);
    return true;
}

bool json_string_is(const struct json *doc, json_value v, const char *text)
{
    if (!is(doc, v, JSON_STRING))
        return false;
    struct pieces pieces = pieces_of(doc, v);
    if (!pieces.escaped) /* nearly all strings that are looked for */
        return bytes_equal_text(pieces.rest, text);
    return compare(pieces, (struct pieces){.rest = bytes_text(text)}) == 0;
}

int json_compare_names(const struct json *doc, json_value a, json_value b)
{
    return compare(pieces_of(doc, a), pieces_of(doc, b));
}

uint16_t json_name_key(const struct json *doc, json_value v)
{
    struct pieces pieces = pieces_of(doc, v);
    uint32_t key = 0;
    for (struct bytes piece = next_piece(&pieces); piece.len > 0; piece = next_piece(&pieces))
        for (size_t i = 0; i < piece.len; i++)
            key = (key ^ piece.at[i]) * UINT32_C(0x9E3779B1);
    return (uint16_t)(key >> 16);
}

bool json_int64(const struct json *doc, json_value v, int64_t *out)
{
    if (!is(doc, v, JSON_NUMBER))
        return false;
    struct bytes raw = json_raw(doc, v);
    bool negative = raw.at[0] == '-';
    int64_t value = 0; /* counted downwards: INT64_MIN has no positive counterpart */
    for (size_t i = negative; i < raw.len; i++) {
        if (raw.at[i] < '0' || raw.at[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, raw.at[i] - '0', &value))
            return false;
    }
    if (!negative && value == INT64_MIN)
        return false;
    *out = negative ? value : -value;
    return true;
}
