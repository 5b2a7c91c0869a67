/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP answer: whole, in parts, and everything ambiguous. */
#include "tests/unit/check.h"

#include "formats/http_header.h"

#define OK "HTTP/1.1 200 OK\r\n"

static void complete(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        unsigned status;
        const char *body;
    } rows[] = {
        {OK "Content-Length: 2\r\n\r\n{}", 200, "{}"},
        {"HTTP/1.1 400 Bad Request\r\nX: y\r\ncontent-length:0\r\n\r\n", 400, ""},
        {"HTTP/1.1 599\r\nCONTENT-LENGTH: \t 003 \t\r\n\r\nabc", 599, "abc"},
        {"HTTP/1.1 500 \r\nContent-Length: 3\r\n\r\n\r\n\r", 500, "\r\n\r"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bytes input = bytes_text(rows[i].input);
        struct http_response response;
        struct error err = {0};
        assert_int_equal(http_response_parse(&response, input, 100, &err), HTTP_COMPLETE);
        assert_int_equal(response.status, rows[i].status);
        assert_bytes(response.body, rows[i].body);
        for (size_t len = 0; len < input.len; len++) {
            /* exactly as long as said, so that reading past it is seen by the sanitizer */
            uint8_t *part = malloc(len + 1);
            memcpy(part, input.at, len);
            uint8_t *fit = realloc(part, len > 0 ? len : 1);
            assert_int_equal(http_response_parse(&response, bytes_of(fit, len), 100, &err),
                             HTTP_INCOMPLETE);
            free(fit);
        }
    }
}

static void malformed(void **state)
{
    (void)state;
    static const struct {
        const char *input;
        const char *cause;
    } rows[] = {
        {"<html>", "status line"},
        {"h", "status line"},
        {"HTTP/2 200\r\n\r\n", "status line"},
        {"HTTP/1.0 200 OK\r\n\r\n", "status line"},
        {"HTTP/1.2 200 OK\r\n\r\n", "status line"},
        {"HTTP/1.1 20\r\n\r\n", "status line"},
        {"HTTP/1.1 2000 OK\r\n\r\n", "status line"},
        {"HTTP/1.1 099 No\r\n\r\n", "status line"},
        {"HTTP/1.1 600 No\r\n\r\n", "status line"},
        {"HTTP/1.1  200 OK\r\n\r\n", "status line"},
        {"HTTP/1.1 2x0 OK\r\n\r\n", "status line"},
        {"HTTP/1.1 \r\n\r\n", "status line"},
        {OK "\r\n", "no Content-Length"},
        {OK "Content-Type: text/html\r\n\r\nbody", "no Content-Length"},
        {OK "X: a\nContent-Length: 2\r\n\r\n{}", "no Content-Length"},
        {OK " Content-Length: 2\r\n\r\n{}", "no Content-Length"},
        {OK "Content-Length : 2\r\n\r\n{}", "no Content-Length"},
        {OK "Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "two lengths"},
        {OK "Content-Length: 2\r\ncontent-length: 3\r\n\r\n", "two lengths"},
        {OK "Content-Length: 2, 2\r\n\r\n", "not a number"},
        {OK "Content-Length: -1\r\n\r\n", "not a number"},
        {OK "Content-Length: +1\r\n\r\n", "not a number"},
        {OK "Content-Length: 0x10\r\n\r\n", "not a number"},
        {OK "Content-Length: 1 1\r\n\r\n", "not a number"},
        {OK "Content-Length: 1\r1\r\n\r\n", "not a number"},
        {OK "Content-Length:\r\n\r\n", "not a number"},
        {OK "Content-Length: 101\r\n\r\n", "limit"},
        {OK "Content-Length: 18446744073709551618\r\n\r\n", "limit"},
        {OK "Content-Length: 99999999999999999999999999\r\n\r\n", "limit"},
        {OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "transfer encoding"},
        {OK "Content-Length: 2\r\ntransfer-encoding: identity\r\n\r\n", "transfer encoding"},
        {OK "Content-Length: 2\r\n\r\n{}x", "after its body"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct http_response response;
        struct error err = {0};
        struct bytes input = bytes_text(rows[i].input);
        if (http_response_parse(&response, input, 100, &err) != HTTP_MALFORMED)
            fail_msg("row %zu is not malformed", i);
        assert_int_equal(err.code, ERROR_KMS_RESPONSE);
        if (strstr(err.cause, rows[i].cause) == NULL)
            fail_msg("row %zu: \"%s\" does not say \"%s\"", i, err.cause, rows[i].cause);
    }
    static const char zero[] = OK "Content-Length: 1\0\r\n\r\n";
    struct http_response response;
    assert_int_equal(http_response_parse(&response, bytes_of(zero, sizeof zero - 1), 9, NULL),
                     HTTP_MALFORMED);
}

static void long_heads(void **state)
{
    (void)state;
    static const char tail[] = "\r\nContent-Length: 0\r\n\r\n";
    for (int extra = 0; extra < 2; extra++) {
        BUFFER_AUTO head;
        buffer_init(&head, (size_t)2 * HTTP_HEAD_MAX);
        buffer_text(&head, OK "X: ");
        while (head.len < HTTP_HEAD_MAX - (sizeof tail - 1) + (size_t)extra)
            buffer_byte(&head, 'x');
        struct http_response response;
        struct error err = {0};
        assert_int_equal(http_response_parse(&response, buffer_bytes(&head), 9, &err),
                         HTTP_INCOMPLETE);
        buffer_text(&head, tail);
        assert_int_equal(http_response_parse(&response, buffer_bytes(&head), 9, &err),
                         extra == 0 ? HTTP_COMPLETE : HTTP_MALFORMED);
    }
}

static void headers(void **state)
{
    (void)state;
    static const char input[] =
        OK "x-amzn-RequestId:  abc  \r\nEmpty:\r\nX: 1\r\nX: 2\r\nContent-Length: 0\r\n\r\n";
    struct http_response response;
    struct error err = {0};
    assert_int_equal(http_response_parse(&response, bytes_text(input), 9, &err), HTTP_COMPLETE);
    assert_bytes(http_header(&response, "X-Amzn-RequestID"), "abc");
    assert_bytes(http_header(&response, "x"), "1");
    assert_non_null(http_header(&response, "empty").at);
    assert_int_equal(http_header(&response, "empty").len, 0);
    assert_null(http_header(&response, "x-amzn").at);
    static const struct http_response none;
    assert_null(http_header(&none, "x").at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(complete),
        cmocka_unit_test(malformed),
        cmocka_unit_test(long_heads),
        cmocka_unit_test(headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
