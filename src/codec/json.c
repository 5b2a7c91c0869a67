/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parser is one loop over a small state; what is open is a chain of nodes, so nothing recurses.
 * A container's next field holds its parent until it is closed.
 *
 * In order: scanning of strings, numbers and literals; unescaping; unique names; the loop; access.
 */
#include "codec/json.h"

#include <stdlib.h>
#include <sys/random.h>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/secret.h"

#define FIRST_CAP    64 /* nodes: a small request */
#define PAIRWISE_MAX 16 /* members whose names are compared each with each */

struct parser {
    struct json *doc;
    struct error *err;
    const uint8_t *at;
    const uint8_t *end;
    json_value open; /* innermost open container */
    uint32_t depth;
    bool keyed; /* key is drawn only when a large object is met */
    uint64_t key[2];
};

static uint32_t offset(const struct parser *p)
{
    return (uint32_t)(p->at - p->doc->text.at);
}

static bool fail(struct parser *p, enum error_code code, const char *what)
{
    return error_set(p->err, code, "%s at byte %u", what, offset(p));
}

static bool malformed(struct parser *p, const char *what)
{
    return fail(p, ERROR_NOT_JSON, p->at == p->end ? "unexpected end" : what);
}

/* Makes room for more nodes; the old array is wiped, which realloc would not do. */
static bool reserve(struct parser *p, size_t more)
{
    struct json *doc = p->doc;
    if (more <= doc->cap - doc->count)
        return true;
    /* Fits: a text of JSON_TEXT_MAX bytes has fewer than JSON_TEXT_MAX nodes. */
    size_t cap = doc->cap < FIRST_CAP ? FIRST_CAP : (size_t)doc->cap * 2;
    while (cap < doc->count + more)
        cap *= 2;
    struct json_node *nodes = cap > UINT32_MAX ? NULL : calloc(cap, sizeof *nodes);
    if (nodes == NULL)
        return fail(p, ERROR_MEMORY, "no memory for the index");
    if (doc->count > 0)
        memcpy(nodes, doc->nodes, doc->count * sizeof *nodes);
    wipe(doc->nodes, doc->cap * sizeof *nodes);
    free(doc->nodes);
    doc->nodes = nodes;
    doc->cap = (uint32_t)cap;
    return true;
}

static bool add_node(struct parser *p, enum json_type type)
{
    struct json *doc = p->doc;
    if (doc->count == doc->cap && !reserve(p, 1))
        return false;
    doc->nodes[doc->count] =
        (struct json_node){.start = offset(p), .next = doc->count + 1, .type = (uint8_t)type};
    doc->count++;
    return true;
}

/* Skips white space; the byte behind it, or 0 (which no state accepts) at the end. */
static uint8_t skip_space(struct parser *p)
{
    const uint8_t *at = p->at;
    while (at < p->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t'))
        at++;
    p->at = at;
    return at < p->end ? *at : 0;
}

/* Skips what needs no look within a string: ASCII but quotes, backslashes and controls. */
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(' ');
    for (; end - at >= 16; at += 16) {
        __m128i v = _mm_loadu_si128((const void *)at);
        /* Signed: below ' ' are the controls and all bytes from 0x80 on. */
        __m128i stop =
            _mm_or_si128(_mm_cmplt_epi8(v, space),
                         _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(stop);
        if (mask != 0)
            return at + __builtin_ctz(mask);
    }
#else
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    for (; end - at >= 8; at += 8) {
        uint64_t v;
        memcpy(&v, at, sizeof v);
        /* The high bit of a byte of (x - ones) is set if x was zero or (v) not ASCII; false alarms
         * above a true one are harmless, the loop below looks again. */
        uint64_t quote = (v ^ ones * '"') - ones, backslash = (v ^ ones * '\\') - ones;
        if (((quote | backslash | (v - ones * ' ') | v) & high) != 0)
            break;
    }
#endif
    while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\')
        at++;
    return at;
}

/* The length of the well-formed UTF-8 sequence (Unicode, table 3-7) at a byte >= 0x80; 0 if none.
 */
static unsigned utf8_length(const uint8_t *at, const uint8_t *end)
{
    uint8_t first = at[0], low = 0x80, high = 0xBF;
    unsigned len = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4 || end - at < len)
        return 0;
    if (first == 0xE0)
        low = 0xA0; /* else overlong */
    else if (first == 0xED)
        high = 0x9F; /* else a surrogate */
    else if (first == 0xF0)
        low = 0x90; /* else overlong */
    else if (first == 0xF4)
        high = 0x8F; /* else beyond U+10FFFF */
    if (at[1] < low || at[1] > high)
        return 0;
    for (unsigned i = 2; i < len; i++)
        if ((at[i] & 0xC0) != 0x80)
            return 0;
    return len;
}

/* Four hex digits; -1 if they are none. */
static int32_t hex4(const uint8_t *at)
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

/* The length of the escape at a backslash; 0 if it is none. */
static unsigned escape_length(const uint8_t *at, const uint8_t *end)
{
    if (end - at < 2)
        return 0;
    switch (at[1]) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return 2;
    case 'u':
        return end - at >= 6 && hex4(at + 2) >= 0 ? 6 : 0;
    default:
        return 0;
    }
}

/* p->at is at the opening quote; afterwards behind the closing one. */
static bool scan_string(struct parser *p)
{
    if (!add_node(p, JSON_STRING))
        return false;
    struct json_node *node = &p->doc->nodes[p->doc->count - 1];
    for (p->at++;;) {
        p->at = skip_plain(p->at, p->end);
        if (p->at == p->end)
            return malformed(p, "");
        unsigned len;
        if (*p->at == '"') {
            p->at++;
            node->end = offset(p);
            return true;
        } else if (*p->at == '\\') {
            node->escaped = true;
            len = escape_length(p->at, p->end);
        } else {
            len = *p->at < ' ' ? 0 : utf8_length(p->at, p->end);
        }
        if (len == 0)
            return fail(p, ERROR_NOT_JSON, "malformed string");
        p->at += len;
    }
}

static bool skip_digits(struct parser *p)
{
    const uint8_t *at = p->at;
    while (at < p->end && *at >= '0' && *at <= '9')
        at++;
    bool some = at > p->at;
    p->at = at;
    return some || malformed(p, "malformed number");
}

static bool next_is(const struct parser *p, char lower, char upper)
{
    return p->at < p->end && (*p->at == lower || *p->at == upper);
}

static bool scan_number(struct parser *p)
{
    if (!add_node(p, JSON_NUMBER))
        return false;
    if (*p->at == '-')
        p->at++;
    if (next_is(p, '0', '0'))
        p->at++; /* a digit behind it is unexpected to the loop */
    else if (!skip_digits(p))
        return false;
    if (next_is(p, '.', '.')) {
        p->at++;
        if (!skip_digits(p))
            return false;
    }
    if (next_is(p, 'e', 'E')) {
        p->at++;
        if (next_is(p, '+', '-'))
            p->at++;
        if (!skip_digits(p))
            return false;
    }
    p->doc->nodes[p->doc->count - 1].end = offset(p);
    return true;
}

static bool scan_literal(struct parser *p, enum json_type type, struct bytes literal)
{
    if ((size_t)(p->end - p->at) < literal.len || memcmp(p->at, literal.at, literal.len) != 0)
        return fail(p, ERROR_NOT_JSON, "malformed literal");
    if (!add_node(p, type))
        return false;
    p->at += literal.len;
    p->doc->nodes[p->doc->count - 1].end = offset(p);
    return true;
}

/*
 * A string's content, unescaped piece by piece: runs as they stand and single escaped characters.
 * A lone surrogate becomes three bytes that no valid UTF-8 holds, so distinct strings stay
 * distinct.
 */
struct unescaper {
    struct bytes rest; /* valid: a parsed string's content */
    uint8_t character[4];
    bool lone_surrogate; /* one was met */
};

static struct unescaper unescape(const struct json *doc, json_value v)
{
    const struct json_node *node = &doc->nodes[v];
    return (struct unescaper){
        .rest = bytes_of(doc->text.at + node->start + 1, node->end - node->start - 2)};
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

/* The character of the escape at the start of u->rest, which it consumes. */
static uint32_t take_escape(struct unescaper *u)
{
    const uint8_t *at = u->rest.at;
    static const char names[] = "bfnrt", controls[] = "\b\f\n\r\t";
    const char *name = strchr(names, at[1]);
    if (at[1] != 'u') {
        u->rest = bytes_from(u->rest, 2);
        return name != NULL ? (uint8_t)controls[name - names] : at[1];
    }
    uint32_t c = (uint32_t)hex4(at + 2);
    u->rest = bytes_from(u->rest, 6);
    if (c < 0xD800 || c > 0xDFFF)
        return c;
    if (c < 0xDC00 && u->rest.len >= 6 && u->rest.at[0] == '\\' && u->rest.at[1] == 'u') {
        uint32_t low = (uint32_t)hex4(u->rest.at + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            u->rest = bytes_from(u->rest, 6);
            return 0x10000 + ((c - 0xD800) << 10 | (low - 0xDC00));
        }
    }
    u->lone_surrogate = true;
    return c;
}

/* The next piece; empty at the end. Valid until the next call. */
static struct bytes next_piece(struct unescaper *u)
{
    if (u->rest.len == 0)
        return u->rest;
    if (u->rest.at[0] == '\\')
        return bytes_of(u->character, utf8_encode(u->character, take_escape(u)));
    const uint8_t *stop = memchr(u->rest.at, '\\', u->rest.len);
    struct bytes run = stop == NULL ? u->rest : bytes_of(u->rest.at, (size_t)(stop - u->rest.at));
    u->rest = bytes_from(u->rest, run.len);
    return run;
}

static bool content_equal(struct unescaper a, struct unescaper b)
{
    struct bytes x = next_piece(&a), y = next_piece(&b);
    while (x.len > 0 && y.len > 0) {
        size_t n = x.len < y.len ? x.len : y.len;
        if (memcmp(x.at, y.at, n) != 0)
            return false;
        x = n < x.len ? bytes_from(x, n) : next_piece(&a);
        y = n < y.len ? bytes_from(y, n) : next_piece(&b);
    }
    return x.len == y.len;
}

static bool strings_equal(const struct json *doc, json_value a, json_value b)
{
    struct unescaper x = unescape(doc, a), y = unescape(doc, b);
    if (doc->nodes[a].escaped || doc->nodes[b].escaped)
        return content_equal(x, y);
    return bytes_equal(x.rest, y.rest);
}

/* SipHash-1-3 (Aumasson and Bernstein): nobody without the key can choose names that collide. */
static uint64_t rotate(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotate(v[1], 13) ^ v[0], v[0] = rotate(v[0], 32);
    v[2] += v[3], v[3] = rotate(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotate(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotate(v[1], 17) ^ v[2], v[2] = rotate(v[2], 32);
}

static uint64_t hash_content(const uint64_t key[2], struct unescaper u)
{
    uint64_t v[4] = {key[0] ^ UINT64_C(0x736f6d6570736575), key[1] ^ UINT64_C(0x646f72616e646f6d),
                     key[0] ^ UINT64_C(0x6c7967656e657261), key[1] ^ UINT64_C(0x7465646279746573)};
    uint64_t word = 0, len = 0;
    for (struct bytes piece = next_piece(&u); piece.len > 0; piece = next_piece(&u)) {
        for (size_t i = 0; i < piece.len; i++) {
            word |= (uint64_t)piece.at[i] << (8 * (len % 8));
            if (++len % 8 != 0)
                continue;
            v[3] ^= word;
            sip_round(v);
            v[0] ^= word;
            word = 0;
        }
    }
    word |= len << 56;
    v[3] ^= word;
    sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xFF;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static bool duplicate(struct parser *p, json_value name)
{
    p->at = p->doc->text.at + p->doc->nodes[name].start;
    return fail(p, ERROR_DUPLICATE_MEMBER, "a second member of the same name");
}

/* All names of a large object, entered into a hash table that lies behind the nodes in use. */
static bool names_unique_hashed(struct parser *p, json_value first, size_t members)
{
    struct json *doc = p->doc;
    if (!p->keyed && getrandom(p->key, sizeof p->key, 0) != (ssize_t)sizeof p->key)
        return fail(p, ERROR_INTERNAL, "no randomness for an object");
    p->keyed = true;
    size_t slots = 4 * PAIRWISE_MAX;
    while (slots < 2 * members)
        slots *= 2;
    if (!reserve(p, slots * sizeof(json_value) / sizeof *doc->nodes))
        return false;
    json_value *table = (json_value *)(void *)(doc->nodes + doc->count);
    memset(table, 0, slots * sizeof *table); /* 0 is the root, no name */
    for (json_value n = first; n < doc->count; n = doc->nodes[n + 1].next) {
        size_t slot = hash_content(p->key, unescape(doc, n)) & (slots - 1);
        for (; table[slot] != 0; slot = (slot + 1) & (slots - 1))
            if (strings_equal(doc, table[slot], n))
                return duplicate(p, n);
        table[slot] = n;
    }
    return true;
}

/* The object, about to be closed, owns all nodes behind it. */
static bool names_unique(struct parser *p, json_value object)
{
    const struct json *doc = p->doc;
    const json_value first = object + 1;
    size_t members = 0;
    for (json_value n = first; n < doc->count; n = doc->nodes[n + 1].next)
        members++;
    if (members > PAIRWISE_MAX)
        return names_unique_hashed(p, first, members);
    for (json_value n = first; n < doc->count; n = doc->nodes[n + 1].next)
        for (json_value before = first; before < n; before = doc->nodes[before + 1].next)
            if (strings_equal(doc, before, n))
                return duplicate(p, n);
    return true;
}

static bool open_container(struct parser *p, enum json_type type)
{
    if (p->depth == p->doc->depth_limit)
        return fail(p, ERROR_TOO_DEEP, "nested too deeply");
    if (!add_node(p, type))
        return false;
    json_value v = p->doc->count - 1;
    p->doc->nodes[v].next = p->open;
    p->open = v;
    p->depth++;
    p->at++;
    return true;
}

static bool close_container(struct parser *p)
{
    if (p->doc->nodes[p->open].type == JSON_OBJECT && !names_unique(p, p->open))
        return false;
    struct json_node *node = &p->doc->nodes[p->open];
    p->at++;
    p->open = node->next;
    p->depth--;
    node->end = offset(p);
    node->next = p->doc->count;
    return true;
}

/* What may come next. */
enum state { VALUE, VALUE_OR_CLOSE, NAME, NAME_OR_CLOSE, BEHIND_VALUE };

/* Takes the value that starts with byte c. */
static bool take_value(struct parser *p, uint8_t c, enum state *state)
{
    *state = BEHIND_VALUE;
    switch (c) {
    case '"':
        return scan_string(p);
    case '{':
        *state = NAME_OR_CLOSE;
        return open_container(p, JSON_OBJECT);
    case '[':
        *state = VALUE_OR_CLOSE;
        return open_container(p, JSON_ARRAY);
    case 't':
        return scan_literal(p, JSON_TRUE, bytes_of("true", 4));
    case 'f':
        return scan_literal(p, JSON_FALSE, bytes_of("false", 5));
    case 'n':
        return scan_literal(p, JSON_NULL, bytes_of("null", 4));
    default:
        if (c == '-' || (c >= '0' && c <= '9'))
            return scan_number(p);
        return malformed(p, "no value");
    }
}

static bool take_name(struct parser *p, uint8_t c)
{
    if (c != '"')
        return malformed(p, "no member name");
    if (!scan_string(p))
        return false;
    if (skip_space(p) != ':')
        return malformed(p, "no colon");
    p->at++;
    return true;
}

static bool take_separator(struct parser *p, uint8_t c, enum state *state)
{
    bool object = p->doc->nodes[p->open].type == JSON_OBJECT;
    if (c == ',') {
        p->at++;
        *state = object ? NAME : VALUE;
        return true;
    }
    if (c == (object ? '}' : ']'))
        return close_container(p);
    return malformed(p, "neither comma nor close");
}

static bool parse(struct parser *p)
{
    enum state state = VALUE;
    for (;;) {
        bool ok = true;
        uint8_t c = skip_space(p);
        if ((state == NAME_OR_CLOSE && c == '}') || (state == VALUE_OR_CLOSE && c == ']')) {
            ok = close_container(p);
            state = BEHIND_VALUE;
        } else if (state == VALUE || state == VALUE_OR_CLOSE) {
            ok = take_value(p, c, &state);
        } else if (state == NAME || state == NAME_OR_CLOSE) {
            ok = take_name(p, c);
            state = VALUE;
        } else if (p->open != JSON_NONE) {
            ok = take_separator(p, c, &state);
        } else {
            return p->at == p->end || fail(p, ERROR_NOT_JSON, "text behind the value");
        }
        if (!ok)
            return false;
    }
}

void json_init(struct json *doc, uint32_t depth_limit)
{
    *doc =
        (struct json){.depth_limit = depth_limit < JSON_DEPTH_MAX ? depth_limit : JSON_DEPTH_MAX};
}

void json_clear(struct json *doc)
{
    if (doc->nodes != NULL)
        wipe(doc->nodes, doc->cap * sizeof *doc->nodes);
    free(doc->nodes);
    json_init(doc, doc->depth_limit);
}

bool json_parse(struct json *doc, struct bytes text, struct error *err)
{
    struct parser p = {.doc = doc, .err = err, .open = JSON_NONE};
    doc->text = text;
    doc->count = 0;
    p.at = text.at;
    p.end = text.len > 0 ? text.at + text.len : text.at;
    bool ok = text.len <= JSON_TEXT_MAX
                  ? parse(&p)
                  : error_set(err, ERROR_NOT_JSON, "longer than %u bytes", JSON_TEXT_MAX);
    if (!ok) {
        doc->text = bytes_of(NULL, 0);
        doc->count = 0;
    }
    return ok;
}

struct bytes json_raw(const struct json *doc, json_value v)
{
    return bytes_of(doc->text.at + doc->nodes[v].start, doc->nodes[v].end - doc->nodes[v].start);
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
    if (v >= doc->count || doc->nodes[v].type != JSON_OBJECT)
        return JSON_NONE;
    for (json_value n = json_first(doc, v); n != JSON_NONE; n = json_next(doc, v, n))
        if (json_string_is(doc, n, name))
            return n + 1;
    return JSON_NONE;
}

bool json_string(const struct json *doc, json_value v, struct buffer *out)
{
    if (v >= doc->count || doc->nodes[v].type != JSON_STRING)
        return false;
    const size_t len = out->len;
    struct unescaper u = unescape(doc, v);
    if (!doc->nodes[v].escaped) {
        buffer_append(out, u.rest);
        return !out->failed;
    }
    for (struct bytes piece = next_piece(&u); piece.len > 0; piece = next_piece(&u))
        buffer_append(out, piece);
    if (!u.lone_surrogate)
        return !out->failed;
    wipe(out->at + len, out->len - len);
    out->len = len;
    return false;
}

bool json_string_is(const struct json *doc, json_value v, const char *text)
{
    if (v >= doc->count || doc->nodes[v].type != JSON_STRING)
        return false;
    struct unescaper u = unescape(doc, v);
    if (!doc->nodes[v].escaped)
        return bytes_equal_text(u.rest, text);
    struct bytes want = bytes_text(text);
    for (struct bytes piece = next_piece(&u); piece.len > 0; piece = next_piece(&u)) {
        if (piece.len > want.len || memcmp(piece.at, want.at, piece.len) != 0)
            return false;
        want = bytes_from(want, piece.len);
    }
    return want.len == 0;
}

bool json_int64(const struct json *doc, json_value v, int64_t *out)
{
    if (v >= doc->count || doc->nodes[v].type != JSON_NUMBER)
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
