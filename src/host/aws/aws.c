/* SPDX-License-Identifier: Apache-2.0 */
#include "host/aws/aws.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/clock.h"
#include "crypto/sigv4.h"
#include "host/web.h"

#define CONNECT_MS   10000
#define TOTAL_MS     30000
#define URL_SIZE     512
#define REGION_MAX   32
#define HEADERS_MAX  5      /* that are signed */
#define LINES_LIMIT  65536u /* bytes of all header lines */
#define SIGNED_LIMIT 4096u  /* bytes of an Authorization header */

static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* --- the endpoint --- */

struct endpoint {
    char url[URL_SIZE];       /* https://AUTHORITY/ */
    char authority[URL_SIZE]; /* as in the Host header: without the scheme's own port */
};

static bool is_region(const char *region)
{
    size_t len = strlen(region);
    return len > 0 && len <= REGION_MAX &&
           strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

/* The domain of a region's partition: the region's name tells which it is. */
static const char *domain_of(const char *region)
{
    static const struct {
        const char *prefix, *domain;
    } partitions[] = {
        {"cn-", "amazonaws.com.cn"},    {"eusc-", "amazonaws.eu"},
        {"us-iso-", "c2s.ic.gov"},      {"us-isob-", "sc2s.sgov.gov"},
        {"eu-isoe-", "cloud.adc-e.uk"}, {"us-isof-", "csp.hci.ic.gov"},
    };
    for (size_t i = 0; i < ARRAY_LEN(partitions); i++)
        if (strncmp(region, partitions[i].prefix, strlen(partitions[i].prefix)) == 0)
            return partitions[i].domain;
    return "amazonaws.com";
}

/* What the environment names in place of the usual endpoint; NULL: nothing. */
static const char *configured(const char *service)
{
    char name[64] = "AWS_ENDPOINT_URL_";
    size_t len = strlen(name);
    const char *ignore = variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if (ignore != NULL && strcasecmp(ignore, "true") == 0)
        return NULL;
    for (; *service != '\0' && len < sizeof name - 1; service++)
        name[len++] = (char)toupper((unsigned char)*service);
    name[len] = '\0';
    const char *own = variable(name);
    return own != NULL ? own : variable("AWS_ENDPOINT_URL");
}

static bool is_this_machine(const char *authority)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        size_t len = strlen(names[i]);
        if (strncasecmp(authority, names[i], len) == 0 &&
            (authority[len] == '\0' || authority[len] == ':'))
            return true;
    }
    return false;
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), tail = strlen(end);
    return len > tail && strcmp(text + len - tail, end) == 0;
}

/* Takes https://HOST[:PORT][/], or http where HOST is this machine. */
static bool take_url(struct endpoint *out, const char *url)
{
    bool tls = strncasecmp(url, "https://", 8) == 0;
    if (!tls && strncasecmp(url, "http://", 7) != 0)
        return false;
    const char *at = url + (tls ? 8 : 7);
    size_t len = strcspn(at, "/?#@ \t\r\n");
    const char *rest = at + len;
    if (len == 0 || len >= sizeof out->authority - 16 ||
        (strcmp(rest, "") != 0 && strcmp(rest, "/") != 0))
        return false;
    snprintf(out->authority, sizeof out->authority, "%.*s", (int)len, at);
    snprintf(out->url, sizeof out->url, "%s://%.*s/", tls ? "https" : "http", (int)len, at);
    const char *port = tls ? ":443" : ":80";
    if (ends_with(out->authority, port))
        out->authority[len - strlen(port)] = '\0';
    return tls || is_this_machine(out->authority);
}

static bool find_endpoint(struct endpoint *out, const struct aws_request *request,
                          struct error *err)
{
    char usual[URL_SIZE];
    if (!is_region(request->region))
        return error_set(err, ERROR_CONFIG, "%.60s is not the name of an AWS region",
                         request->region);
    const char *url = configured(request->service);
    if (url == NULL) {
        snprintf(usual, sizeof usual, "https://%.16s.%.32s.%s/", request->service, request->region,
                 domain_of(request->region));
        url = usual;
    }
    return take_url(out, url) ||
           error_set(err, ERROR_CONFIG,
                     "the endpoint %.200s cannot be used: it must be https://HOST[:PORT], or http "
                     "on this machine",
                     url);
}

/* --- the headers --- */

/* Those that are signed, by name. */
static size_t list_headers(const struct aws_request *request, const char *authority,
                           const char *date, struct sigv4_header out[HEADERS_MAX])
{
    size_t n = 0;
    out[n++] = (struct sigv4_header){bytes_text("content-type"), bytes_text(request->content_type)};
    out[n++] = (struct sigv4_header){bytes_text("host"), bytes_text(authority)};
    out[n++] = (struct sigv4_header){bytes_text("x-amz-date"), bytes_text(date)};
    if (request->keys != NULL && request->keys->session_token.len > 0)
        out[n++] =
            (struct sigv4_header){bytes_text("x-amz-security-token"), request->keys->session_token};
    if (request->target != NULL)
        out[n++] = (struct sigv4_header){bytes_text("x-amz-target"), bytes_text(request->target)};
    return n;
}

static bool sign(const struct aws_request *request, const struct sigv4_header *headers,
                 size_t count, const char *date, struct buffer *authorization)
{
    const struct sigv4_request canonical = {
        .method = bytes_text("POST"),
        .path = bytes_text("/"),
        .headers = headers,
        .header_count = count,
        .payload = request->body,
    };
    struct sigv4_scope scope = {
        .region = bytes_text(request->region),
        .service = bytes_text(request->service),
    };
    memcpy(scope.amz_date, date, sizeof scope.amz_date);
    return sigv4_authorization(authorization, &canonical, &scope, request->keys->access_key_id,
                               request->keys->secret_access_key);
}

static void put_line(struct buffer *lines, struct bytes name, struct bytes value)
{
    buffer_append(lines, name);
    buffer_text(lines, ": ");
    buffer_append(lines, value);
    buffer_byte(lines, '\0');
}

/* Appends every header as a line that ends with a zero byte. */
static bool put_headers(const struct aws_request *request, const char *authority,
                        struct buffer *lines)
{
    char date[CLOCK_BASIC_SIZE];
    struct sigv4_header headers[HEADERS_MAX];
    BUFFER_AUTO authorization;
    buffer_init_secret(&authorization, SIGNED_LIMIT);
    clock_format_basic(date, clock_wall_us());
    size_t count = list_headers(request, authority, date, headers);
    for (size_t i = 0; i < count; i++)
        put_line(lines, headers[i].name, headers[i].value);
    if (request->keys != NULL) {
        if (!sign(request, headers, count, date, &authorization))
            return false;
        put_line(lines, bytes_text("authorization"), buffer_bytes(&authorization));
    }
    return !lines->failed;
}

/* --- the call --- */

static bool exchange(const struct aws_request *request, const struct endpoint *endpoint,
                     const struct buffer *lines, long *status, struct buffer *answer,
                     struct error *err)
{
    struct error why;
    size_t n = 0;
    struct web_request web = {
        .method = "POST",
        .url = endpoint->url,
        .body = request->body,
        .connect_ms = CONNECT_MS,
        .total_ms = TOTAL_MS,
        .ca_file = variable("AWS_CA_BUNDLE"),
    };
    for (size_t at = 0; at < lines->len; at += strlen((const char *)lines->at + at) + 1)
        web.headers[n++] = (const char *)lines->at + at;
    return web_exchange(&web, status, answer, &why) ||
           error_set(err, why.code, "%.200s: %.200s", endpoint->authority, why.cause);
}

bool aws_call(const struct aws_request *request, long *status, struct buffer *answer,
              struct error *err)
{
    _Static_assert(HEADERS_MAX + 1 <= WEB_HEADERS_MAX, "all headers and the authorization fit");
    struct endpoint endpoint;
    BUFFER_AUTO lines;
    buffer_init_secret(&lines, LINES_LIMIT);
    if (!find_endpoint(&endpoint, request, err))
        return false;
    if (!put_headers(request, endpoint.authority, &lines))
        return error_set(err, ERROR_MEMORY, "the call to %.200s cannot be signed",
                         endpoint.authority);
    return exchange(request, &endpoint, &lines, status, answer, err);
}
