/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/kms_request.h"

#include <stdarg.h>
#include <stdio.h>
#include <strings.h>

bool kms_header_is(const struct sigv4_header *header, const char *name)
{
    return header->name.len == strlen(name) &&
           strncasecmp((const char *)header->name.at, name, header->name.len) == 0;
}

struct bytes kms_request_header(const struct kms_request *request, const char *name, size_t *count)
{
    struct bytes found = bytes_of(NULL, 0);
    size_t n = 0;
    for (size_t i = 0; i < request->header_count; i++)
        if (kms_header_is(&request->headers[i], name) && n++ == 0)
            found = request->headers[i].value;
    if (count != NULL)
        *count = n;
    return found;
}

bool kms_fail(struct kms_failure *failure, const char *type, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    failure->type = type;
    vsnprintf(failure->message, sizeof failure->message, format, args);
    va_end(args);
    return false;
}

bool kms_fail_type(struct kms_failure *failure, const char *type)
{
    *failure = (struct kms_failure){.type = type};
    return false;
}
