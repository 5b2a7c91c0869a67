/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a header: enclaved has no use for any but the length. */
#ifndef FORMATS_HTTP_HEADER_H
#define FORMATS_HTTP_HEADER_H

#include "codec/http.h"

/* The value of header name (case-insensitive), trimmed; at is NULL if absent. The first, if many.
 */
struct bytes http_header(const struct http_response *response, const char *name);

#endif
