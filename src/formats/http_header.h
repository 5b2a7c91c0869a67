/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a header: enclaved has no use for any but the length. */
#ifndef FORMATS_HTTP_HEADER_H
#define FORMATS_HTTP_HEADER_H

#include "codec/http.h"

/* The first value of a header, trimmed; .at is NULL if there is none. Names match in any case. */
struct bytes http_header(const struct http_response *response, const char *name);

#endif
