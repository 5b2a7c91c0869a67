/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"

#include <stdarg.h>
#include <stdio.h>

static const struct {
    const char *name;
    const char *text;
} codes[] = {
#define ERROR_ROW(id, name, text) [id] = {name, text},
    ERROR_CODES(ERROR_ROW)
#undef ERROR_ROW
};

const char *error_name(enum error_code code)
{
    return codes[code].name;
}

const char *error_text(enum error_code code)
{
    return codes[code].text;
}

void error_put(struct error *err, enum error_code code, int number, const char *format, ...)
{
    if (err == NULL)
        return;
    va_list args;
    va_start(args, format);
    err->code = code;
    int len = vsnprintf(err->cause, sizeof err->cause, format, args);
    va_end(args);
    if (number != 0 && len >= 0 && (size_t)len < sizeof err->cause)
        snprintf(err->cause + len, sizeof err->cause - (size_t)len, ": %s", strerror(number));
}
