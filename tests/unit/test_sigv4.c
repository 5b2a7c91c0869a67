/* SPDX-License-Identifier: Apache-2.0 */
/* Signature Version 4: AWS's published example, aws-c-auth's cases, and the limits. */
#include "tests/unit/check.h"

#include <dirent.h>

#include "base/clock.h"
#include "codec/json.h"
#include "crypto/hash.h"
#include "formats/clock_parse.h"
#include "formats/sigv4_canonical.h"

#define HEADER(n, v)                            \
    {                                           \
        {(const uint8_t *)(n), sizeof(n) - 1},  \
        {                                       \
            (const uint8_t *)(v), sizeof(v) - 1 \
        }                                       \
    }

static bool canonical_request(struct buffer *out, const struct sigv4_request *request,
                              bool normalize)
{
    SIGV4_CANONICAL_AUTO form;
    return sigv4_canonicalize(&form, request, normalize) &&
           sigv4_canonical_request(out, &form.request);
}

static bool authorization(struct buffer *out, const struct sigv4_request *request, bool normalize,
                          const struct sigv4_scope *scope, struct bytes key_id, struct bytes key)
{
    SIGV4_CANONICAL_AUTO form;
    return sigv4_canonicalize(&form, request, normalize) &&
           sigv4_authorization(out, &form.request, scope, key_id, key);
}

/* The example of the AWS General Reference ("Create a signed AWS API request"): IAM ListUsers. */
static void general_reference(void **state)
{
    (void)state;
    static const struct sigv4_header headers[] = {
        HEADER("Content-Type", "application/x-www-form-urlencoded; charset=utf-8"),
        HEADER("Host", "iam.amazonaws.com"),
        HEADER("X-Amz-Date", "20150830T123600Z"),
    };
    struct sigv4_request request = {.method = bytes_text("GET"),
                                    .path = bytes_text("/"),
                                    .query = bytes_text("Action=ListUsers&Version=2010-05-08"),
                                    .headers = headers,
                                    .header_count = ARRAY_LEN(headers)};
    struct sigv4_scope scope = {bytes_text("us-east-1"), bytes_text("iam"), "20150830T123600Z"};
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    assert_true(authorization(&out, &request, true, &scope, bytes_text("AKIDEXAMPLE"),
                              bytes_text("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")));
    assert_bytes(buffer_bytes(&out),
                 "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
                 "SignedHeaders=content-type;host;x-amz-date, "
                 "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
}

static void paths_and_queries(void **state)
{
    (void)state;
    static const struct {
        const char *path, *query, *want;
        bool normalize;
    } rows[] = {
        {"", "", "/\n\n", true},
        {"", "", "/\n\n", false},
        {"/..", "", "/\n\n", true},
        {"/a/../../b/", "", "/b/\n\n", true},
        {"/a//b/./c", "", "/a/b/c\n\n", true},
        {"/a//b/./c", "", "/a//b/./c\n\n", false},
        {"/%20", "", "/%2520\n\n", true},
        {"/", "b=2&a=1&&a=0",
         "/\na=0&a=1&b=2\n\n"
         "",
         true},
        {"/", "flag&z=%2f&z=/", "/\nflag=&z=%2F&z=%2F\n\n", true},
        {"/", "a=%zz&b=%4", "/\na=%25zz&b=%254\n\n", true},
        {"/", "p-3=1&p=2", "/\np=2&p-3=1\n\n", true},
        {"/", "a=b=c", "/\na=b%3Dc\n\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO out;
        buffer_init(&out, 4096);
        struct sigv4_request request = {.method = bytes_text("G"),
                                        .path = bytes_text(rows[i].path),
                                        .query = bytes_text(rows[i].query)};
        assert_true(canonical_request(&out, &request, rows[i].normalize));
        char want[256];
        size_t len = strlen(rows[i].want) - 1;
        snprintf(want, sizeof want, "G\n%.*s", (int)len, rows[i].want);
        assert_bytes(bytes_of(out.at, strlen(want)), want);
    }
}

static void limits(void **state)
{
    (void)state;
    struct sigv4_header headers[SIGV4_HEADERS_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        headers[i] = (struct sigv4_header){bytes_text("h"), bytes_text("v")};
    struct sigv4_request request = {
        .method = bytes_text("GET"), .headers = headers, .header_count = ARRAY_LEN(headers)};
    struct sigv4_scope scope = {bytes_text("r"), bytes_text("s"), "20150830T123600Z"};
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    struct bytes key = bytes_text("key");
    assert_false(canonical_request(&out, &request, false));
    assert_false(authorization(&out, &request, false, &scope, key, key));
    request.header_count--;
    buffer_reset(&out);
    assert_true(canonical_request(&out, &request, false));
    char query[2 * 70 + 1] = "";
    for (size_t i = 0; i < 70; i++)
        memcpy(query + 2 * i, "a&", 3);
    request.query = bytes_text(query);
    buffer_reset(&out);
    assert_false(canonical_request(&out, &request, false));
    /* a full buffer and a key that is too long are reported */
    BUFFER_AUTO small;
    buffer_init(&small, 10);
    request.query = bytes_text("");
    assert_false(canonical_request(&small, &request, false));
    buffer_reset(&small);
    assert_false(sigv4_string_to_sign(&small, key, &scope));
    buffer_reset(&small);
    assert_false(sigv4_signature(&small, key, key, &scope));
    static const uint8_t long_key[1100];
    buffer_reset(&out);
    assert_false(sigv4_signature(&out, key, bytes_of(long_key, sizeof long_key), &scope));
}

/* One of aws-c-auth's cases: the request as its authors wrote it. */
struct sample {
    struct buffer context_text, request_text;
    struct json context;
    struct buffer access_key, secret_key, token, region, service, date, payload_hash;
    struct sigv4_header headers[SIGV4_HEADERS_MAX];
    struct sigv4_request request;
    struct sigv4_scope scope;
};

static struct buffer read_sample(const char *folder, const char *name)
{
    char path[4700];
    snprintf(path, sizeof path, "%.4500s/%s", folder, name);
    struct buffer b = read_whole_file(path);
    while (b.len > 0 && strchr("\r\n", b.at[b.len - 1]) != NULL)
        b.len--;
    return b;
}

static struct buffer text_member(const struct sample *s, json_value object, const char *name)
{
    struct buffer b;
    buffer_init(&b, 8192);
    json_value v = json_member(&s->context, object, name);
    if (v != JSON_NONE)
        assert_true(json_string(&s->context, v, &b));
    return b;
}

static bool flag(const struct sample *s, const char *name)
{
    json_value v = json_member(&s->context, 0, name);
    return v != JSON_NONE && json_type(&s->context, v) == JSON_TRUE;
}

static void add_header(struct sample *s, struct bytes name, struct bytes value)
{
    assert_true(s->request.header_count < SIGV4_HEADERS_MAX);
    s->headers[s->request.header_count++] = (struct sigv4_header){name, value};
}

static size_t find(struct bytes text, uint8_t c, size_t from)
{
    while (from < text.len && text.at[from] != c)
        from++;
    return from;
}

/* METHOD SP path[?query] SP HTTP/1.1, then headers, folded lines belonging to the one before. */
static void read_request(struct sample *s)
{
    struct bytes text = buffer_bytes(&s->request_text);
    size_t end = find(text, '\n', 0), first = find(text, ' ', 0), last = end;
    while (text.at[--last] != ' ')
        ;
    struct bytes target = bytes_of(text.at + first + 1, last - first - 1);
    size_t mark = find(target, '?', 0);
    s->request.method = bytes_of(text.at, first);
    s->request.path = bytes_of(target.at, mark);
    s->request.query = bytes_from(target, mark + 1);
    size_t at = end + 1;
    while (at < text.len && text.at[at] != '\n') {
        size_t colon = find(text, ':', at), stop = find(text, '\n', at);
        while (stop + 1 < text.len && text.at[stop + 1] == ' ')
            stop = find(text, '\n', stop + 1);
        add_header(s, bytes_of(text.at + at, colon - at),
                   bytes_of(text.at + colon + 1, stop - colon - 1));
        at = stop + 1;
    }
    s->request.payload = bytes_from(text, at + 1);
}

static void read_context(struct sample *s)
{
    json_value credentials = json_member(&s->context, 0, "credentials");
    s->access_key = text_member(s, credentials, "access_key_id");
    s->secret_key = text_member(s, credentials, "secret_access_key");
    s->token = text_member(s, credentials, "token");
    s->region = text_member(s, 0, "region");
    s->service = text_member(s, 0, "service");
    s->date = text_member(s, 0, "timestamp");
    int64_t at_us = 0;
    assert_true(clock_parse(buffer_bytes(&s->date), &at_us));
    s->scope.region = buffer_bytes(&s->region);
    s->scope.service = buffer_bytes(&s->service);
    clock_format_basic(s->scope.amz_date, at_us);
}

/* What a signer adds to the request before it signs. */
static void add_headers(struct sample *s)
{
    add_header(s, bytes_text("X-Amz-Date"), bytes_text(s->scope.amz_date));
    if (s->token.len > 0 && !flag(s, "omit_session_token"))
        add_header(s, bytes_text("X-Amz-Security-Token"), buffer_bytes(&s->token));
    buffer_init(&s->payload_hash, 64);
    if (flag(s, "sign_body")) {
        uint8_t digest[SHA256_SIZE];
        assert_true(sha256(digest, s->request.payload));
        for (size_t i = 0; i < sizeof digest; i++) {
            buffer_byte(&s->payload_hash, (uint8_t) "0123456789abcdef"[digest[i] >> 4]);
            buffer_byte(&s->payload_hash, (uint8_t) "0123456789abcdef"[digest[i] & 15]);
        }
        add_header(s, bytes_text("x-amz-content-sha256"), buffer_bytes(&s->payload_hash));
    }
}

static void expect_file(struct bytes got, const char *folder, const char *name)
{
    BUFFER_AUTO want = read_sample(folder, name);
    assert_non_null(want.at);
    if (!bytes_equal(got, buffer_bytes(&want)))
        fail_msg("%s/%s: got\n%.*s\nwant\n%.*s", folder, name, (int)got.len, (const char *)got.at,
                 (int)want.len, (const char *)want.at);
}

static void check_sample(const char *folder)
{
    struct sample s;
    memset(&s, 0, sizeof s);
    struct error err = {0};
    s.context_text = read_sample(folder, "context.json");
    s.request_text = read_sample(folder, "request.txt");
    json_init(&s.context, JSON_DEPTH);
    assert_true(json_parse(&s.context, buffer_bytes(&s.context_text), &err));
    s.request.headers = s.headers;
    read_context(&s);
    read_request(&s);
    add_headers(&s);
    BUFFER_AUTO canonical;
    BUFFER_AUTO to_sign;
    BUFFER_AUTO signature;
    BUFFER_AUTO header;
    buffer_init(&canonical, 1u << 16);
    buffer_init(&to_sign, 4096);
    buffer_init(&signature, 64);
    buffer_init(&header, 4096);
    bool normalize = flag(&s, "normalize");
    assert_true(canonical_request(&canonical, &s.request, normalize));
    expect_file(buffer_bytes(&canonical), folder, "header-canonical-request.txt");
    assert_true(sigv4_string_to_sign(&to_sign, buffer_bytes(&canonical), &s.scope));
    expect_file(buffer_bytes(&to_sign), folder, "header-string-to-sign.txt");
    assert_true(
        sigv4_signature(&signature, buffer_bytes(&to_sign), buffer_bytes(&s.secret_key), &s.scope));
    expect_file(buffer_bytes(&signature), folder, "header-signature.txt");
    assert_true(authorization(&header, &s.request, normalize, &s.scope, buffer_bytes(&s.access_key),
                              buffer_bytes(&s.secret_key)));
    BUFFER_AUTO request = read_sample(folder, "header-signed-request.txt");
    assert_non_null(memmem(request.at, request.len, header.at, header.len));
    struct buffer *owned[] = {&s.context_text, &s.request_text, &s.access_key,
                              &s.secret_key,   &s.token,        &s.region,
                              &s.service,      &s.date,         &s.payload_hash};
    for (size_t i = 0; i < ARRAY_LEN(owned); i++)
        buffer_clear(owned[i]);
    json_clear(&s.context);
}

static void aws_c_auth(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("sigv4");
    char folder[4200];
    snprintf(folder, sizeof folder, "%s/sigv4/aws-c-auth-v4", vectors_folder());
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    unsigned count = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4500];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%.200s", folder, entry->d_name);
        check_sample(path);
        count++;
    }
    closedir(dir);
    print_message("aws-c-auth: %u cases\n", count);
    assert_int_equal(count, 38);
}

static int set_up(void **state)
{
    (void)state;
    return crypto_start() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(general_reference),
        cmocka_unit_test(paths_and_queries),
        cmocka_unit_test(limits),
        cmocka_unit_test(aws_c_auth),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
