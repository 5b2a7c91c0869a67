/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/http.h"

#include <strings.h>

#define PREFIX     "HTTP/1.1 "
#define PREFIX_LEN (sizeof PREFIX - 1)

static enum http_progress malformed(struct error *err, const char *what)
{
    error_set(err, ERROR_KMS_RESPONSE, "the HTTP answer: %s", what);
    return HTTP_MALFORMED;
}

/* Takes the digits at the front of text; false if there are none, or more than max is said. */
static bool take_number(struct bytes *text, size_t max, size_t *out)
{
    size_t digits = 0;
    *out = 0;
    for (; digits < text->len && text->at[digits] >= '0' && text->at[digits] <= '9'; digits++)
        if ((*out = 10 * *out + (size_t)(text->at[digits] - '0')) > max)
            return false;
    *text = bytes_from(*text, digits);
    return digits > 0;
}

static void skip_blanks(struct bytes *text)
{
    while (text->len > 0 && (text->at[0] == ' ' || text->at[0] == '\t'))
        *text = bytes_from(*text, 1);
}

static bool has_name(struct bytes line, const char *name)
{
    return line.len >= strlen(name) && strncasecmp((const char *)line.at, name, strlen(name)) == 0;
}

/* Takes a line off lines, each of which ends in CRLF. */
static struct bytes take_line(struct bytes *lines)
{
    const uint8_t *end = memmem(lines->at, lines->len, "\r\n", 2);
    struct bytes line = bytes_of(lines->at, (size_t)(end - lines->at));
    *lines = bytes_from(*lines, line.len + 2);
    return line;
}

/* Finds the only Content-Length; NULL, or what is wrong. */
static const char *read_length(struct bytes headers, size_t max, size_t *length)
{
    bool found = false;
    while (headers.len > 0) {
        struct bytes line = take_line(&headers);
        if (has_name(line, "transfer-encoding:"))
            return "it has a transfer encoding, which was not requested";
        if (!has_name(line, "content-length:"))
            continue;
        if (found)
            return "two lengths";
        line = bytes_from(line, strlen("content-length:"));
        skip_blanks(&line);
        found = take_number(&line, max, length);
        skip_blanks(&line);
        if (!found || line.len > 0)
            return "its length is not a number, or beyond the limit";
    }
    return found ? NULL : "no Content-Length";
}

enum http_progress http_response_parse(struct http_response *out, struct bytes input,
                                       size_t body_max, struct error *err)
{
    size_t known = input.len < PREFIX_LEN ? input.len : PREFIX_LEN;
    size_t most = input.len < HTTP_HEAD_MAX ? input.len : HTTP_HEAD_MAX;
    *out = (struct http_response){0};
    if (known > 0 && memcmp(input.at, PREFIX, known) != 0)
        return malformed(err, "it has no HTTP/1.1 status line");
    const uint8_t *blank = most > 0 ? memmem(input.at, most, "\r\n\r\n", 4) : NULL;
    if (blank == NULL)
        return most < HTTP_HEAD_MAX ? HTTP_INCOMPLETE : malformed(err, "its head is too long");
    out->head = bytes_of(input.at, (size_t)(blank - input.at) + 2);
    out->body = bytes_from(input, out->head.len + 2);
    struct bytes status = bytes_from(take_line(&out->head), PREFIX_LEN);
    if (!take_number(&status, 599, &out->status) || out->status < 100 ||
        (status.len > 0 && status.at[0] != ' '))
        return malformed(err, "it has no HTTP/1.1 status line");
    size_t length;
    const char *wrong = read_length(out->head, body_max, &length);
    if (wrong == NULL && out->body.len > length)
        wrong = "bytes after its body";
    if (wrong != NULL)
        return malformed(err, wrong);
    return out->body.len < length ? HTTP_INCOMPLETE : HTTP_COMPLETE;
}
