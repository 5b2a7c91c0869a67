/* SPDX-License-Identifier: Apache-2.0 */
#include "host/web.h"

#include "host/web_library.h"

static size_t take_body(char *at, size_t size, size_t count, void *context)
{
    struct buffer *body = context;
    buffer_append(body, bytes_of(at, size * count));
    return body->failed ? 0 : size * count;
}

struct exchange {
    const struct web_library *lib;
    CURL *curl;
    struct curl_slist *headers, *to;
};

/* Sets an option to a text, a list or a context; NULL leaves it as it is. */
static bool set(struct exchange *x, CURLoption option, const void *value)
{
    return value == NULL || x->lib->easy_setopt(x->curl, option, value) == CURLE_OK;
}

static bool set_long(struct exchange *x, CURLoption option, long value)
{
    return x->lib->easy_setopt(x->curl, option, value) == CURLE_OK;
}

static bool set_destination(struct exchange *x, const struct web_request *request)
{
    char text[256];
    if (request->connect_to == NULL)
        return true;
    int len = snprintf(text, sizeof text, "::%s", request->connect_to);
    x->to = len > 0 && (size_t)len < sizeof text ? x->lib->slist_append(NULL, text) : NULL;
    return x->to != NULL && set(x, CURLOPT_CONNECT_TO, x->to);
}

static bool set_service(struct exchange *x, const struct web_request *request)
{
    return set(x, CURLOPT_CAINFO, request->ca_file) && set(x, CURLOPT_AWS_SIGV4, request->sign) &&
           set(x, CURLOPT_USERNAME, request->access_key_id) &&
           set(x, CURLOPT_PASSWORD, request->secret_access_key);
}

static bool set_headers(struct exchange *x, const struct web_request *request)
{
    for (size_t i = 0; i < WEB_HEADERS_MAX && request->headers[i] != NULL; i++) {
        struct curl_slist *more = x->lib->slist_append(x->headers, request->headers[i]);
        if (more == NULL)
            return false;
        x->headers = more;
    }
    return set(x, CURLOPT_HTTPHEADER, x->headers);
}

static bool set_body(struct exchange *x, struct bytes body)
{
    return body.at == NULL || (set_long(x, CURLOPT_POSTFIELDSIZE, (long)body.len) &&
                               set(x, CURLOPT_POSTFIELDS, body.at));
}

static bool set_message(struct exchange *x, const struct web_request *request, struct buffer *body)
{
    return set(x, CURLOPT_URL, request->url) && set_body(x, request->body) &&
           set(x, CURLOPT_CUSTOMREQUEST, request->method) && set_headers(x, request) &&
           x->lib->easy_setopt(x->curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
           set(x, CURLOPT_WRITEDATA, body);
}

static bool set_limits(struct exchange *x, const struct web_request *request)
{
    return set_long(x, CURLOPT_CONNECTTIMEOUT_MS, request->connect_ms) &&
           set_long(x, CURLOPT_TIMEOUT_MS, request->total_ms) && set(x, CURLOPT_NOPROXY, "*") &&
           set_long(x, CURLOPT_FOLLOWLOCATION, 0) && set_long(x, CURLOPT_NOSIGNAL, 1) &&
           set(x, CURLOPT_PROTOCOLS_STR, "http,https");
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

/* Says why there is no answer. Time that ran out before there was a connection is no deadline. */
static bool explain(const struct exchange *x, CURLcode result, const struct buffer *body,
                    struct error *err)
{
    if (body->full)
        return error_set(err, ERROR_FORMAT, "the answer is longer than %zu bytes", body->limit);
    curl_off_t connected_us = 0;
    if (result == CURLE_OPERATION_TIMEDOUT &&
        x->lib->easy_getinfo(x->curl, CURLINFO_CONNECT_TIME_T, &connected_us) == CURLE_OK &&
        connected_us == 0)
        return error_set(err, ERROR_NETWORK, "no connection within the time limit");
    return error_set(err, code_of(result), "%s", x->lib->easy_strerror(result));
}

static bool perform(struct exchange *x, long *status, const struct buffer *body, struct error *err)
{
    CURLcode result = x->lib->easy_perform(x->curl);
    return (result == CURLE_OK &&
            x->lib->easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, status) == CURLE_OK) ||
           explain(x, result, body, err);
}

bool web_exchange(const struct web_request *request, long *status, struct buffer *body,
                  struct error *err)
{
    *status = 0;
    buffer_reset(body);
    struct exchange x = {.lib = web_library(err)};
    if (x.lib == NULL)
        return false;
    x.curl = x.lib->easy_init();
    if (x.curl == NULL)
        return error_set(err, ERROR_MEMORY, "libcurl cannot be started");
    bool good = set_limits(&x, request) && set_message(&x, request, body) &&
                set_destination(&x, request) && set_service(&x, request);
    good = good ? perform(&x, status, body, err)
                : error_set(err, ERROR_MEMORY, "libcurl does not accept the request");
    x.lib->slist_free_all(x.headers);
    x.lib->slist_free_all(x.to);
    x.lib->easy_cleanup(x.curl);
    return good;
}
