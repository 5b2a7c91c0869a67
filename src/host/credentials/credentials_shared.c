/* SPDX-License-Identifier: Apache-2.0 */
/* What several providers need. */
#include <stdlib.h>

#include "base/clock.h"
#include "host/credentials/credentials_internal.h"
#include "system/file.h"

const char *credentials_variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

bool credentials_read(const char *path, struct buffer *out, struct error *err)
{
    struct error cause;
    return file_read(path, out, &cause) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE, "%s", cause.cause);
}

bool credentials_check_expiry(const struct credentials *found, struct error *err)
{
    if (found->expires_us > clock_wall_us())
        return true;
    char when[ISO_Z_SIZE];
    iso_z(when, found->expires_us);
    return error_set(err, ERROR_CREDENTIALS_EXPIRED, "the credentials of %.200s expired at %s",
                     found->source, when);
}

void credentials_quote(char *out, size_t size, struct bytes said)
{
    size_t len = said.len < size - 1 ? said.len : size - 1;
    for (size_t i = 0; i < len; i++)
        out[i] = (char)(said.at[i] >= ' ' && said.at[i] < 0x7f ? said.at[i] : '?');
    out[len] = '\0';
}

bool credentials_get(const char *url, const char *header, long *status, struct buffer *answer,
                     const char *origin, struct error *err)
{
    const struct web_request request = {
        .method = "GET",
        .url = url,
        .headers = {header},
        .connect_ms = METADATA_CONNECT_MS,
        .total_ms = METADATA_TOTAL_MS,
    };
    struct error web;
    return web_exchange(&request, status, answer, &web) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: %.200s", origin, web.cause);
}
