/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/http.h"

#include <strings.h>

static enum http_progress malformed(struct error *err, const char *what)
{
    error_set(err, ERROR_KMS_RESPONSE, "the HTTP answer: %s", what);
    return HTTP_MALFORMED;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

/* RFC 9110, 5.6.2 */
static bool is_token(uint8_t c)
{
    uint8_t letter = c | 0x20;
    return is_digit(c) || (letter >= 'a' && letter <= 'z') ||
           (c != '\0' && c < 0x80 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

/*
 * The line at offset *at, without its CRLF; *at moves behind it. Text and tabs only: a CR without
 * LF, an LF without CR and other controls are malformed.
 */
static enum http_progress take_line(struct bytes *line, struct bytes input, size_t *at,
                                    struct error *err)
{
    for (size_t i = *at; i < input.len; i++) {
        uint8_t c = input.at[i];
        if (c == '\r') {
            if (i + 1 == input.len)
                return HTTP_INCOMPLETE;
            if (input.at[i + 1] != '\n')
                return malformed(err, "a CR without LF");
            *line = bytes_of(input.at + *at, i - *at);
            *at = i + 2;
            return HTTP_COMPLETE;
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return malformed(err, "a control character in its head");
    }
    return HTTP_INCOMPLETE;
}

#define PREFIX     "HTTP/1."
#define PREFIX_LEN (sizeof PREFIX - 1)
#define STATUS_LEN 12 /* HTTP/1.1 200 */

/* HTTP/1.x SP 3DIGIT [SP reason] */
static bool status_line(unsigned *status, struct bytes line)
{
    if (line.len < STATUS_LEN || memcmp(line.at, PREFIX, PREFIX_LEN) != 0)
        return false;
    const uint8_t *at = line.at + PREFIX_LEN;
    if ((at[0] != '0' && at[0] != '1') || at[1] != ' ' || !is_digit(at[2]) || !is_digit(at[3]) ||
        !is_digit(at[4]) || (line.len > STATUS_LEN && line.at[STATUS_LEN] != ' '))
        return false;
    *status =
        (unsigned)(at[2] - '0') * 100 + (unsigned)(at[3] - '0') * 10 + (unsigned)(at[4] - '0');
    return *status >= 100 && *status <= 599;
}

static struct bytes trim(struct bytes text)
{
    while (text.len > 0 && (text.at[0] == ' ' || text.at[0] == '\t'))
        text = bytes_of(text.at + 1, text.len - 1);
    while (text.len > 0 && (text.at[text.len - 1] == ' ' || text.at[text.len - 1] == '\t'))
        text.len--;
    return text;
}

/* name ":" OWS value OWS; a line that begins with white space continues another: refused. */
static bool header_line(struct bytes *name, struct bytes *value, struct bytes line)
{
    size_t colon = 0;
    while (colon < line.len && is_token(line.at[colon]))
        colon++;
    if (colon == 0 || colon == line.len || line.at[colon] != ':')
        return false;
    *name = bytes_of(line.at, colon);
    *value = trim(bytes_from(line, colon + 1));
    return true;
}

static bool is_name(struct bytes name, const char *wanted)
{
    return name.len == strlen(wanted) && strncasecmp((const char *)name.at, wanted, name.len) == 0;
}

static bool body_length(size_t *length, struct bytes digits, size_t max)
{
    *length = 0;
    for (size_t i = 0; i < digits.len; i++) {
        if (!is_digit(digits.at[i]))
            return false;
        size_t digit = (size_t)(digits.at[i] - '0');
        if (*length > max / 10 || *length * 10 > max - digit)
            return false;
        *length = *length * 10 + digit;
    }
    return digits.len > 0;
}

/* What the head says of the body. */
struct framing {
    size_t length;
    bool known;
};

static enum http_progress note_header(struct framing *framing, struct bytes line, size_t body_max,
                                      struct error *err)
{
    struct bytes name, value;
    if (!header_line(&name, &value, line))
        return malformed(err, "a header line is malformed");
    if (is_name(name, "transfer-encoding"))
        return malformed(err, "a transfer encoding, none was asked for");
    if (!is_name(name, "content-length"))
        return HTTP_COMPLETE;
    if (framing->known)
        return malformed(err, "two lengths");
    if (!body_length(&framing->length, value, body_max))
        return malformed(err, "its length is no number or beyond the limit");
    framing->known = true;
    return HTTP_COMPLETE;
}

/* All lines up to the empty one; *at is then the offset of the body. */
static enum http_progress parse_head(struct http_response *out, struct framing *framing,
                                     struct bytes input, size_t *at, size_t body_max,
                                     struct error *err)
{
    struct bytes line;
    enum http_progress progress = take_line(&line, input, at, err);
    if (progress != HTTP_COMPLETE)
        return progress;
    if (!status_line(&out->status, line))
        return malformed(err, "no HTTP/1.1 status line");
    size_t start = *at;
    for (;;) {
        out->head = bytes_of(input.at + start, *at - start);
        progress = take_line(&line, input, at, err);
        if (progress != HTTP_COMPLETE || line.len == 0)
            return progress;
        progress = note_header(framing, line, body_max, err);
        if (progress != HTTP_COMPLETE)
            return progress;
    }
}

enum http_progress http_response_parse(struct http_response *out, struct bytes input,
                                       size_t body_max, struct error *err)
{
    *out = (struct http_response){0};
    size_t known = input.len < PREFIX_LEN ? input.len : PREFIX_LEN;
    if (known > 0 && memcmp(input.at, PREFIX, known) != 0)
        return malformed(err, "no HTTP/1.1 status line");
    struct bytes head = input;
    if (head.len > HTTP_HEAD_MAX)
        head.len = HTTP_HEAD_MAX;
    struct framing framing = {0};
    size_t at = 0;
    enum http_progress progress = parse_head(out, &framing, head, &at, body_max, err);
    if (progress == HTTP_INCOMPLETE && input.len >= HTTP_HEAD_MAX)
        return malformed(err, "its head is too long");
    if (progress != HTTP_COMPLETE)
        return progress;
    if (!framing.known)
        return malformed(err, "no Content-Length");
    if (input.len - at < framing.length)
        return HTTP_INCOMPLETE;
    if (input.len - at > framing.length)
        return malformed(err, "bytes behind its body");
    out->body = bytes_from(input, at);
    return HTTP_COMPLETE;
}
