/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sigv4_canonical.h"
#include "formats/text.h"

#define QUERY_MAX     64 /* parameters */
#define CANONICAL_MAX (1u << 20)

/* URI encoding of SigV4: all but the unreserved characters of RFC 3986, with upper-case digits. */
static void encode(struct buffer *out, uint8_t c)
{
    bool unreserved = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '.' || c == '_' || c == '~';
    if (unreserved) {
        buffer_byte(out, c);
        return;
    }
    static const char digits[] = "0123456789ABCDEF";
    buffer_byte(out, '%');
    buffer_byte(out, (uint8_t)digits[c >> 4]);
    buffer_byte(out, (uint8_t)digits[c & 15]);
}

static void path_as_is(struct buffer *out, struct bytes path)
{
    for (size_t i = 0; i < path.len; i++) {
        if (path.at[i] == '/')
            buffer_byte(out, '/');
        else
            encode(out, path.at[i]);
    }
}

/* Drops the segments "" and ".", and ".." together with the one before it. */
static void path_normalized(struct buffer *out, struct bytes path)
{
    size_t start = out->len;
    bool slash_at_end = path.len > 0 && path.at[path.len - 1] == '/';
    while (path.len > 0 && !out->failed) {
        struct bytes segment = text_cut(&path, '/');
        if (bytes_equal_text(segment, "..")) {
            while (out->len > start && out->at[--out->len] != '/')
                ;
        } else if (segment.len > 0 && !bytes_equal_text(segment, ".")) {
            buffer_byte(out, '/');
            path_as_is(out, segment);
        }
    }
    if (out->len == start || slash_at_end)
        buffer_byte(out, '/');
}

/* The name and value of a parameter or header, as offsets in the text of canonical forms. */
struct part {
    size_t name, value, end;
};

static struct bytes view(const struct buffer *text, size_t from, size_t end)
{
    return bytes_of(text->at + from, end - from);
}

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Decodes what is percent-encoded first, so that both forms are signed alike. */
static void encode_query_part(struct buffer *out, struct bytes part)
{
    for (size_t i = 0; i < part.len; i++) {
        int high = part.at[i] == '%' && part.len - i > 2 ? hex_value(part.at[i + 1]) : -1;
        int low = high >= 0 ? hex_value(part.at[i + 2]) : -1;
        if (low >= 0) {
            encode(out, (uint8_t)(high * 16 + low));
            i += 2;
        } else {
            encode(out, part.at[i]);
        }
    }
}

static int compare(struct bytes a, struct bytes b)
{
    size_t least = a.len < b.len ? a.len : b.len;
    int order = least == 0 ? 0 : memcmp(a.at, b.at, least);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static bool part_before(const struct buffer *text, const struct part *a, const struct part *b)
{
    int order = compare(view(text, a->name, a->value), view(text, b->name, b->value));
    if (order == 0)
        order = compare(view(text, a->value, a->end), view(text, b->value, b->end));
    return order < 0;
}

/* Sorts parameters by encoded name, then by value; by insertion, as they are few. */
static bool canonical_query(struct buffer *out, struct bytes query)
{
    BUFFER_AUTO text;
    buffer_init(&text, CANONICAL_MAX);
    struct part sorted[QUERY_MAX];
    size_t count = 0;
    while (query.len > 0) {
        struct bytes value = text_cut(&query, '&');
        if (value.len == 0)
            continue;
        struct bytes name = text_cut(&value, '=');
        struct part new = {.name = text.len};
        encode_query_part(&text, name);
        new.value = text.len;
        encode_query_part(&text, value);
        new.end = text.len;
        if (count == QUERY_MAX || text.failed)
            return false;
        size_t at = count++;
        for (; at > 0 && part_before(&text, &new, &sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = new;
    }
    for (size_t i = 0; i < count; i++) {
        const struct part *p = &sorted[i];
        buffer_text(out, i == 0 ? "" : "&");
        buffer_append(out, view(&text, p->name, p->value));
        buffer_byte(out, '=');
        buffer_append(out, view(&text, p->value, p->end));
    }
    return true;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static int compare_names(struct bytes a, struct bytes b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++) {
        if (lower(a.at[i]) != lower(b.at[i]))
            return lower(a.at[i]) < lower(b.at[i]) ? -1 : 1;
    }
    return (a.len > b.len) - (a.len < b.len);
}

/* Sorts headers by name; those of one name stay in the order given. */
static void sort_headers(const struct sigv4_header **sorted, const struct sigv4_request *request)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sigv4_header *header = &request->headers[i];
        size_t at = i;
        for (; at > 0 && compare_names(header->name, sorted[at - 1]->name) < 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = header;
    }
}

/* Removes white space at the ends and turns each run within into one space. */
static void header_value(struct buffer *out, struct bytes value)
{
    bool begun = false, space = false;
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.at[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
            space = begun;
            continue;
        }
        if (space)
            buffer_byte(out, ' ');
        buffer_byte(out, c);
        begun = true;
        space = false;
    }
}

/* Puts names in lower case and joins values of one name by commas. Returns how many are left. */
static size_t canonical_headers(struct buffer *text, struct part parts[SIGV4_HEADERS_MAX],
                                const struct sigv4_request *request)
{
    const struct sigv4_header *sorted[SIGV4_HEADERS_MAX];
    size_t count = 0;
    sort_headers(sorted, request);
    for (size_t i = 0; i < request->header_count; i++) {
        struct bytes name = sorted[i]->name;
        if (i > 0 && compare_names(name, sorted[i - 1]->name) == 0) {
            buffer_byte(text, ',');
        } else {
            parts[count].name = text->len;
            for (size_t k = 0; k < name.len; k++)
                buffer_byte(text, lower(name.at[k]));
            parts[count++].value = text->len;
        }
        header_value(text, sorted[i]->value);
        parts[count - 1].end = text->len;
    }
    return count;
}

bool sigv4_canonicalize(struct sigv4_canonical *out, const struct sigv4_request *request,
                        bool normalize_path)
{
    struct buffer *text = &out->text;
    struct part parts[SIGV4_HEADERS_MAX];
    *out = (struct sigv4_canonical){.request = *request};
    buffer_init(text, CANONICAL_MAX);
    if (request->header_count > SIGV4_HEADERS_MAX)
        return false;
    if (normalize_path)
        path_normalized(text, request->path);
    else
        path_as_is(text, request->path.len > 0 ? request->path : bytes_text("/"));
    size_t query = text->len;
    if (!canonical_query(text, request->query))
        return false;
    size_t end = text->len, count = canonical_headers(text, parts, request);
    if (text->failed)
        return false;
    out->request.path = view(text, 0, query);
    out->request.query = view(text, query, end);
    for (size_t i = 0; i < count; i++)
        out->headers[i] = (struct sigv4_header){.name = view(text, parts[i].name, parts[i].value),
                                                .value = view(text, parts[i].value, parts[i].end)};
    out->request.headers = out->headers;
    out->request.header_count = count;
    return true;
}

void sigv4_canonical_clear(struct sigv4_canonical *canonical)
{
    buffer_clear(&canonical->text);
}
