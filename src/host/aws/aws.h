/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call to a service of AWS: a POST over HTTPS, signed with Signature Version 4.
 *
 * The endpoint is https://SERVICE.REGION.amazonaws.com, or the domain of the region's partition.
 * As with AWS's SDKs (SDKs and Tools Reference Guide, "Service-specific endpoints"),
 * AWS_ENDPOINT_URL_SERVICE or AWS_ENDPOINT_URL names another, unless
 * AWS_IGNORE_CONFIGURED_ENDPOINT_URLS is true; AWS_CA_BUNDLE names the certificates that are
 * trusted in place of the system's. Plain http is taken for this machine only: the session token is
 * sent with each call.
 */
#ifndef HOST_AWS_AWS_H
#define HOST_AWS_AWS_H

#include "base/buffer.h"
#include "base/error.h"

struct aws_keys {
    struct bytes access_key_id;
    struct bytes secret_access_key;
    struct bytes session_token; /* empty: none */
};

struct aws_request {
    const char *service; /* "kms", "sts": of the endpoint and of the signature; in lower case */
    const char *region;
    const char *content_type;
    const char *target; /* X-Amz-Target; NULL: none */
    struct bytes body;
    const struct aws_keys *keys; /* NULL: the call is not signed */
};

/*
 * Makes the call once. answer is reset and gets the body of the answer, whatever its status.
 * ERROR_CONFIG (the region or the endpoint cannot be used), ERROR_NETWORK, ERROR_DEADLINE,
 * ERROR_TLS, ERROR_FORMAT (too long for answer, or not HTTP): the cause names the endpoint.
 */
MUST_USE bool aws_call(const struct aws_request *request, long *status, struct buffer *answer,
                       struct error *err);

#endif
