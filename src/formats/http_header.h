/* SPDX-License-Identifier: Apache-2.0 */
/* Looking up a header of an HTTP answer. enclaved itself reads the length only. */
#ifndef FORMATS_HTTP_HEADER_H
#define FORMATS_HTTP_HEADER_H

#include "codec/http.h"

/*
 * The value of the first header of that name, in any case, without blanks around it: a view into
 * the answer. at is NULL if there is none.
 */
struct bytes http_header(const struct http_response *response, const char *name);

#endif
