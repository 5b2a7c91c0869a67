/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials in environment variables. */
#include <stdio.h>

#include "formats/clock_parse.h"
#include "host/credentials/credentials_internal.h"

#define ENVIRONMENT "the environment"

static bool take_variable(struct buffer *field, const char *name, struct error *err)
{
    const char *value = credentials_variable(name);
    return value == NULL || credentials_set(field, bytes_text(value), name, ENVIRONMENT, err);
}

static bool take_environment(struct credentials *out, struct error *err)
{
    const char *expires = credentials_variable("AWS_CREDENTIAL_EXPIRATION");
    if (!take_variable(&out->access_key_id, "AWS_ACCESS_KEY_ID", err) ||
        !take_variable(&out->secret_access_key, "AWS_SECRET_ACCESS_KEY", err) ||
        !take_variable(&out->session_token, "AWS_SESSION_TOKEN", err))
        return false;
    return expires == NULL || clock_parse(bytes_text(expires), &out->expires_us) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "AWS_CREDENTIAL_EXPIRATION is not a time such as 2030-01-01T00:00:00Z");
}

enum provider_result credentials_from_environment(struct credentials *out, struct error *err)
{
    bool has_id = credentials_variable("AWS_ACCESS_KEY_ID") != NULL;
    bool has_secret = credentials_variable("AWS_SECRET_ACCESS_KEY") != NULL;
    if (!has_id && !has_secret)
        return PROVIDER_ABSENT;
    snprintf(out->source, sizeof out->source, "%s", ENVIRONMENT);
    if (has_id && has_secret)
        return take_environment(out, err) ? PROVIDER_FOUND : PROVIDER_FAILED;
    error_set(err, ERROR_CREDENTIAL_SOURCE, "%s is set, but %s is not: set both or neither",
              has_id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
              has_id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    return PROVIDER_FAILED;
}
