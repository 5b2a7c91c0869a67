/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/sigv4.h"

#include "base/hex.h"
#include "base/secret.h"
#include "crypto/hash.h"

#define ALGORITHM      "AWS4-HMAC-SHA256"
#define TERMINATOR     "aws4_request"
#define DATE_LEN       8  /* of amz_date: 20261122 */
#define QUERY_MAX      64 /* parameters */
#define CANONICAL_MAX  (1u << 20)
#define SECRET_KEY_MAX 1024

/* URI encoding as SigV4 has it: all but RFC 3986's unreserved characters, upper-case digits. */
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

/* Takes what comes before the first separator off rest (all of it if there is none). */
static struct bytes cut(struct bytes *rest, uint8_t separator)
{
    const uint8_t *found = rest->len > 0 ? memchr(rest->at, separator, rest->len) : NULL;
    size_t len = found == NULL ? rest->len : (size_t)(found - rest->at);
    struct bytes head = bytes_of(rest->at, len);
    *rest = bytes_from(*rest, found == NULL ? len : len + 1);
    return head;
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

/* Segments without "", "." and "..", the latter taking back the one before. */
static void path_normalized(struct buffer *out, struct bytes path)
{
    size_t start = out->len;
    bool slash_at_end = path.len > 0 && path.at[path.len - 1] == '/';
    while (path.len > 0 && !out->failed) {
        struct bytes segment = cut(&path, '/');
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

struct parameter {
    size_t name, value, end; /* offsets of the encoded forms in the scratch buffer */
};

static int hex_value(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What is percent-encoded already is decoded first, so that either form is signed alike. */
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

static bool parameter_before(const struct buffer *text, const struct parameter *a,
                             const struct parameter *b)
{
    int order = compare(bytes_of(text->at + a->name, a->value - a->name),
                        bytes_of(text->at + b->name, b->value - b->name));
    if (order == 0)
        order = compare(bytes_of(text->at + a->value, a->end - a->value),
                        bytes_of(text->at + b->value, b->end - b->value));
    return order < 0;
}

/* Parameters sorted by encoded name, then value; an insertion sort, as they are few. */
static bool canonical_query(struct buffer *out, struct bytes query)
{
    BUFFER_AUTO text;
    buffer_init(&text, CANONICAL_MAX);
    struct parameter sorted[QUERY_MAX];
    size_t count = 0;
    while (query.len > 0) {
        struct bytes value = cut(&query, '&');
        if (value.len == 0)
            continue;
        struct bytes name = cut(&value, '=');
        struct parameter new = {.name = text.len};
        encode_query_part(&text, name);
        new.value = text.len;
        encode_query_part(&text, value);
        new.end = text.len;
        if (count == QUERY_MAX || text.failed)
            return false;
        size_t at = count++;
        for (; at > 0 && parameter_before(&text, &new, &sorted[at - 1]); at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = new;
    }
    for (size_t i = 0; i < count; i++) {
        const struct parameter *p = &sorted[i];
        buffer_text(out, i == 0 ? "" : "&");
        buffer_append(out, bytes_of(text.at + p->name, p->value - p->name));
        buffer_byte(out, '=');
        buffer_append(out, bytes_of(text.at + p->value, p->end - p->value));
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

/* The headers by name; those of one name in the order given. */
struct sorted_headers {
    const struct sigv4_header *at[SIGV4_HEADERS_MAX];
    size_t count;
};

static bool sort_headers(struct sorted_headers *sorted, const struct sigv4_request *request)
{
    if (request->header_count > SIGV4_HEADERS_MAX)
        return false;
    sorted->count = request->header_count;
    for (size_t i = 0; i < request->header_count; i++) {
        const struct sigv4_header *header = &request->headers[i];
        size_t at = i;
        for (; at > 0 && compare_names(header->name, sorted->at[at - 1]->name) < 0; at--)
            sorted->at[at] = sorted->at[at - 1];
        sorted->at[at] = header;
    }
    return true;
}

static bool same_as_before(const struct sorted_headers *sorted, size_t i)
{
    return i > 0 && compare_names(sorted->at[i]->name, sorted->at[i - 1]->name) == 0;
}

static void lower_name(struct buffer *out, struct bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        buffer_byte(out, lower(name.at[i]));
}

/* White space at the ends goes, within it becomes one space each. */
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

/* name:value of each, then an empty line. */
static void canonical_headers(struct buffer *out, const struct sorted_headers *sorted)
{
    for (size_t i = 0; i < sorted->count; i++) {
        if (same_as_before(sorted, i)) {
            buffer_byte(out, ',');
        } else {
            buffer_text(out, i == 0 ? "" : "\n");
            lower_name(out, sorted->at[i]->name);
            buffer_byte(out, ':');
        }
        header_value(out, sorted->at[i]->value);
    }
    buffer_text(out, sorted->count == 0 ? "\n" : "\n\n");
}

static void signed_headers(struct buffer *out, const struct sorted_headers *sorted)
{
    for (size_t i = 0; i < sorted->count; i++) {
        if (same_as_before(sorted, i))
            continue;
        buffer_text(out, i == 0 ? "" : ";");
        lower_name(out, sorted->at[i]->name);
    }
}

static bool append_sha256(struct buffer *out, struct bytes in)
{
    uint8_t digest[SHA256_SIZE];
    char text[2 * SHA256_SIZE];
    if (!sha256(digest, in))
        return false;
    hex_encode(text, bytes_of(digest, sizeof digest));
    buffer_append(out, bytes_of(text, sizeof text));
    return !out->failed;
}

bool sigv4_canonical_request(struct buffer *out, const struct sigv4_request *request)
{
    struct sorted_headers sorted;
    if (!sort_headers(&sorted, request))
        return false;
    buffer_append(out, request->method);
    buffer_byte(out, '\n');
    if (request->normalize_path)
        path_normalized(out, request->path);
    else
        path_as_is(out, request->path.len > 0 ? request->path : bytes_text("/"));
    buffer_byte(out, '\n');
    if (!canonical_query(out, request->query))
        return false;
    buffer_byte(out, '\n');
    canonical_headers(out, &sorted);
    signed_headers(out, &sorted);
    buffer_byte(out, '\n');
    return append_sha256(out, request->payload);
}

/* DATE/REGION/SERVICE/aws4_request */
static void append_scope(struct buffer *out, const struct sigv4_scope *scope)
{
    buffer_append(out, bytes_of(scope->amz_date, DATE_LEN));
    buffer_byte(out, '/');
    buffer_append(out, scope->region);
    buffer_byte(out, '/');
    buffer_append(out, scope->service);
    buffer_text(out, "/" TERMINATOR);
}

bool sigv4_string_to_sign(struct buffer *out, struct bytes canonical_request,
                          const struct sigv4_scope *scope)
{
    buffer_text(out, ALGORITHM "\n");
    buffer_append(out, bytes_of(scope->amz_date, sizeof scope->amz_date - 1));
    buffer_byte(out, '\n');
    append_scope(out, scope);
    buffer_byte(out, '\n');
    return append_sha256(out, canonical_request);
}

/* Replaces key by the HMAC under it. */
static bool chain(uint8_t key[SHA256_SIZE], struct bytes in)
{
    uint8_t next[SHA256_SIZE];
    bool ok = hmac_sha256(next, bytes_of(key, SHA256_SIZE), in);
    memcpy(key, next, sizeof next);
    wipe(next, sizeof next);
    return ok;
}

bool sigv4_signature(struct buffer *out, struct bytes string_to_sign, struct bytes secret_key,
                     const struct sigv4_scope *scope)
{
    BUFFER_AUTO first;
    buffer_init_secret(&first, SECRET_KEY_MAX);
    buffer_text(&first, "AWS4");
    buffer_append(&first, secret_key);
    uint8_t key[SHA256_SIZE];
    char text[2 * SHA256_SIZE];
    bool ok = !first.failed &&
              hmac_sha256(key, buffer_bytes(&first), bytes_of(scope->amz_date, DATE_LEN)) &&
              chain(key, scope->region) && chain(key, scope->service) &&
              chain(key, bytes_text(TERMINATOR)) && chain(key, string_to_sign);
    if (ok) {
        hex_encode(text, bytes_of(key, sizeof key));
        buffer_append(out, bytes_of(text, sizeof text));
    }
    wipe(key, sizeof key);
    return ok && !out->failed;
}

bool sigv4_authorization(struct buffer *out, const struct sigv4_request *request,
                         const struct sigv4_scope *scope, struct bytes access_key_id,
                         struct bytes secret_key)
{
    BUFFER_AUTO canonical;
    BUFFER_AUTO to_sign;
    buffer_init(&canonical, CANONICAL_MAX);
    buffer_init(&to_sign, CANONICAL_MAX);
    struct sorted_headers sorted;
    if (!sort_headers(&sorted, request) || !sigv4_canonical_request(&canonical, request) ||
        !sigv4_string_to_sign(&to_sign, buffer_bytes(&canonical), scope))
        return false;
    buffer_text(out, ALGORITHM " Credential=");
    buffer_append(out, access_key_id);
    buffer_byte(out, '/');
    append_scope(out, scope);
    buffer_text(out, ", SignedHeaders=");
    signed_headers(out, &sorted);
    buffer_text(out, ", Signature=");
    return sigv4_signature(out, buffer_bytes(&to_sign), secret_key, scope);
}
