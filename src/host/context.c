/* SPDX-License-Identifier: Apache-2.0 */
#include "host/context.h"

#include "codec/utf8.h"
#include "formats/text.h"

static bool is_printable(struct bytes text)
{
    const uint8_t *at = text.at, *end = text.at + text.len;
    while (at < end) {
        unsigned len = *at < 0x20 || *at == 0x7f ? 0 : *at < 0x80 ? 1 : utf8_length(at, end);
        if (len == 0)
            return false;
        at += len;
    }
    return true;
}

bool context_check(const char *option, const char *text, struct error *err)
{
    struct text_pair pair;
    if (!text_pair(&pair, text))
        return error_set(err, ERROR_USAGE, "%s takes NAME=VALUE", option);
    return is_printable(bytes_text(text)) ||
           error_set(err, ERROR_USAGE, "%s is not printable UTF-8", option);
}

bool context_check_names(const char *const *pairs, size_t count,
                         int (*compare)(const char *, const char *, size_t), struct error *err)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < i; k++) /* with the sign, which ends a name */
            if (compare(pairs[i], pairs[k], strcspn(pairs[i], "=") + 1) == 0)
                return error_set(err, ERROR_USAGE, "--encryption-context %.60s is given twice",
                                 pairs[k]);
    return true;
}
