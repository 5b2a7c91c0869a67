/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/http_header.h"

#include <strings.h>

#include "formats/text.h"

/* Lines that are not a name, a colon and a value are skipped. */
struct bytes http_header(const struct http_response *response, const char *name)
{
    struct bytes rest = response->head;
    size_t name_len = strlen(name);
    while (rest.len > 0) {
        const uint8_t *end = memmem(rest.at, rest.len, "\r\n", 2);
        struct bytes line = bytes_of(rest.at, end == NULL ? rest.len : (size_t)(end - rest.at));
        rest = bytes_from(rest, line.len + 2);
        if (line.len <= name_len || line.at[name_len] != ':' ||
            strncasecmp((const char *)line.at, name, name_len) != 0)
            continue;
        return text_trim(bytes_of(line.at + name_len + 1, line.len - name_len - 1));
    }
    return bytes_of(NULL, 0);
}
