/* SPDX-License-Identifier: Apache-2.0 */
#include "host/web.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "base/secret.h"

/* --- memory that is wiped when it is freed: its size is kept in front of it --- */

#define HEAD 16 /* keeps the alignment that malloc promises */

static void *wiping_malloc(size_t size)
{
    if (size > SIZE_MAX - HEAD)
        return NULL;
    uint8_t *at = malloc(size + HEAD);
    if (at == NULL)
        return NULL;
    memcpy(at, &size, sizeof size);
    return at + HEAD;
}

static size_t size_of(const void *at)
{
    size_t size;
    memcpy(&size, (const uint8_t *)at - HEAD, sizeof size);
    return size;
}

static void wiping_free(void *at)
{
    if (at == NULL)
        return;
    wipe(at, size_of(at));
    free((uint8_t *)at - HEAD);
}

static void *wiping_calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *at = wiping_malloc(count * size);
    if (at != NULL)
        memset(at, 0, count * size);
    return at;
}

static void *wiping_realloc(void *at, size_t size)
{
    void *next = wiping_malloc(size);
    if (next == NULL || at == NULL)
        return next;
    memcpy(next, at, size_of(at) < size ? size_of(at) : size);
    wiping_free(at);
    return next;
}

static char *wiping_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = wiping_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static bool start(void)
{
    static bool started;
    if (!started)
        started = curl_global_init_mem(CURL_GLOBAL_DEFAULT, wiping_malloc, wiping_free,
                                       wiping_realloc, wiping_strdup, wiping_calloc) == CURLE_OK;
    return started;
}

/* --- the exchange --- */

static size_t take_body(char *at, size_t size, size_t count, void *context)
{
    struct buffer *body = context;
    buffer_append(body, bytes_of(at, size * count));
    return body->failed ? 0 : size * count;
}

/* Sets an option to a text; NULL leaves it as it is. */
static bool set_text(CURL *curl, CURLoption option, const char *text)
{
    return text == NULL || curl_easy_setopt(curl, option, text) == CURLE_OK;
}

static bool set_destination(CURL *curl, const struct web_request *request, struct curl_slist **to)
{
    char text[256];
    if (request->connect_to == NULL)
        return true;
    int len = snprintf(text, sizeof text, "::%s", request->connect_to);
    *to = len > 0 && (size_t)len < sizeof text ? curl_slist_append(NULL, text) : NULL;
    return *to != NULL && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, *to) == CURLE_OK;
}

static bool set_service(CURL *curl, const struct web_request *request)
{
    return set_text(curl, CURLOPT_CAINFO, request->ca_file) &&
           set_text(curl, CURLOPT_AWS_SIGV4, request->sign) &&
           set_text(curl, CURLOPT_USERNAME, request->access_key_id) &&
           set_text(curl, CURLOPT_PASSWORD, request->secret_access_key);
}

static bool set_headers(CURL *curl, const struct web_request *request, struct curl_slist **headers)
{
    for (size_t i = 0; i < WEB_HEADERS_MAX && request->headers[i] != NULL; i++) {
        struct curl_slist *more = curl_slist_append(*headers, request->headers[i]);
        if (more == NULL)
            return false;
        *headers = more;
    }
    return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers) == CURLE_OK;
}

static bool set_body(CURL *curl, struct bytes body)
{
    return body.at == NULL ||
           (curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)body.len) == CURLE_OK &&
            curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.at) == CURLE_OK);
}

static bool set_message(CURL *curl, const struct web_request *request, struct buffer *body,
                        struct curl_slist **headers)
{
    return set_text(curl, CURLOPT_URL, request->url) && set_body(curl, request->body) &&
           set_text(curl, CURLOPT_CUSTOMREQUEST, request->method) &&
           set_headers(curl, request, headers) &&
           curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_WRITEDATA, body) == CURLE_OK;
}

static bool set_limits(CURL *curl, const struct web_request *request)
{
    return curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, request->connect_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, request->total_ms) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOPROXY, "*") == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
}

/* Failures that are not simply a malformed answer. */
static const struct {
    CURLcode result;
    enum error_code code;
} failures[] = {
    {CURLE_OPERATION_TIMEDOUT, ERROR_DEADLINE},  {CURLE_COULDNT_CONNECT, ERROR_NETWORK},
    {CURLE_COULDNT_RESOLVE_HOST, ERROR_NETWORK}, {CURLE_SEND_ERROR, ERROR_NETWORK},
    {CURLE_RECV_ERROR, ERROR_NETWORK},           {CURLE_GOT_NOTHING, ERROR_NETWORK},
    {CURLE_URL_MALFORMAT, ERROR_NETWORK},        {CURLE_PEER_FAILED_VERIFICATION, ERROR_TLS},
    {CURLE_SSL_CONNECT_ERROR, ERROR_TLS},        {CURLE_SSL_CACERT_BADFILE, ERROR_TLS},
};

static enum error_code code_of(CURLcode result)
{
    for (size_t i = 0; i < ARRAY_LEN(failures); i++)
        if (failures[i].result == result)
            return failures[i].code;
    return ERROR_FORMAT;
}

bool web_exchange(const struct web_request *request, long *status, struct buffer *body,
                  struct error *err)
{
    struct curl_slist *headers = NULL, *to = NULL;
    *status = 0;
    buffer_reset(body);
    CURL *curl = start() ? curl_easy_init() : NULL;
    if (curl == NULL)
        return error_set(err, ERROR_MEMORY, "libcurl cannot be started");
    bool good = set_limits(curl, request) && set_message(curl, request, body, &headers) &&
                set_destination(curl, request, &to) && set_service(curl, request);
    if (!good) {
        error_set(err, ERROR_MEMORY, "libcurl does not accept the request");
    } else {
        CURLcode result = curl_easy_perform(curl);
        good = result == CURLE_OK &&
               curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status) == CURLE_OK;
        if (!good)
            error_set(err, code_of(result), "%s", curl_easy_strerror(result));
    }
    curl_slist_free_all(headers);
    curl_slist_free_all(to);
    curl_easy_cleanup(curl);
    return good;
}
