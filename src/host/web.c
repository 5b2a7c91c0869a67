/* SPDX-License-Identifier: Apache-2.0 */
#include "host/web.h"

#include <curl/curl.h>
#include <stdlib.h>

#include "base/secret.h"

/* --- memory that is wiped: the size stands in front of what libcurl gets --- */

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

static bool set_service(CURL *curl, const struct web_request *request, struct curl_slist **to)
{
    bool good = true;
    if (request->ca_file != NULL)
        good = good && curl_easy_setopt(curl, CURLOPT_CAINFO, request->ca_file) == CURLE_OK;
    if (request->connect_to != NULL) {
        char text[256];
        int len = snprintf(text, sizeof text, "::%s", request->connect_to);
        *to = len > 0 && (size_t)len < sizeof text ? curl_slist_append(NULL, text) : NULL;
        good = good && *to != NULL && curl_easy_setopt(curl, CURLOPT_CONNECT_TO, *to) == CURLE_OK;
    }
    if (request->sign != NULL)
        good = good && curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, request->sign) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_USERNAME, request->access_key_id) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_PASSWORD, request->secret_access_key) == CURLE_OK;
    return good;
}

static bool set_message(CURL *curl, const struct web_request *request, struct buffer *body,
                        struct curl_slist **headers)
{
    for (size_t i = 0; i < WEB_HEADERS_MAX && request->headers[i] != NULL; i++) {
        struct curl_slist *more = curl_slist_append(*headers, request->headers[i]);
        if (more == NULL)
            return false;
        *headers = more;
    }
    bool good = curl_easy_setopt(curl, CURLOPT_URL, request->url) == CURLE_OK;
    if (request->body.at != NULL)
        good = good &&
               curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, (long)request->body.len) == CURLE_OK &&
               curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.at) == CURLE_OK;
    return good && curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK &&
           curl_easy_setopt(curl, CURLOPT_HTTPHEADER, *headers) == CURLE_OK &&
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

static bool tell(CURLcode result, struct error *err)
{
    enum error_code code = ERROR_FORMAT;
    if (result == CURLE_OPERATION_TIMEDOUT)
        code = ERROR_DEADLINE;
    else if (result == CURLE_COULDNT_CONNECT || result == CURLE_COULDNT_RESOLVE_HOST ||
             result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR ||
             result == CURLE_GOT_NOTHING || result == CURLE_URL_MALFORMAT)
        code = ERROR_NETWORK;
    else if (result == CURLE_PEER_FAILED_VERIFICATION || result == CURLE_SSL_CONNECT_ERROR ||
             result == CURLE_SSL_CACERT_BADFILE)
        code = ERROR_TLS;
    return error_set(err, code, "%s", curl_easy_strerror(result));
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
                set_service(curl, request, &to);
    if (!good) {
        error_set(err, ERROR_MEMORY, "libcurl does not take the request");
    } else {
        CURLcode result = curl_easy_perform(curl);
        good = result == CURLE_OK &&
               curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, status) == CURLE_OK;
        if (!good)
            tell(result, err);
    }
    curl_slist_free_all(headers);
    curl_slist_free_all(to);
    curl_easy_cleanup(curl);
    return good;
}
