/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP exchange through libcurl: instance metadata, container credentials, services of AWS, and
 * the KMS calls of `enclavectl dev`. No redirects, no proxy. All memory of libcurl is wiped when it
 * is freed, because credentials pass through it.
 */
#ifndef HOST_WEB_H
#define HOST_WEB_H

#include "base/buffer.h"
#include "base/error.h"

#define WEB_HEADERS_MAX 8

struct web_request {
    const char *method;
    const char *url;
    const char *headers[WEB_HEADERS_MAX]; /* "Name: value"; NULL ends the list */
    struct bytes body;                    /* sent if at is not NULL */
    long connect_ms;
    long total_ms;
    /* For a service of AWS; NULL if not wanted. */
    const char *ca_file;
    const char *connect_to; /* HOST:PORT to connect to, whatever the URL says */
    const char *sign;       /* "aws:amz:REGION:SERVICE" */
    const char *access_key_id;
    const char *secret_access_key;
};

/*
 * Does the exchange. body is reset and gets the body of the answer. ERROR_NETWORK if there is no
 * connection, or it was lost; ERROR_DEADLINE if it was there and no whole answer came in time;
 * ERROR_TLS; ERROR_FORMAT (too long for body, or not HTTP). Of the URL a cause names the host at
 * most.
 */
MUST_USE bool web_exchange(const struct web_request *request, long *status, struct buffer *body,
                           struct error *err);

#endif
