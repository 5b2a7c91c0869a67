/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/credentials_find.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "formats/clock_parse.h"
#include "host/credentials/credentials_internal.h"

#define ENVIRONMENT "the environment"

/* The value of an environment variable; one that is empty counts as not set. */
static const char *variable(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool take_variable(struct buffer *field, const char *name, struct error *err)
{
    const char *value = variable(name);
    return value == NULL || credentials_set(field, bytes_text(value), name, ENVIRONMENT, err);
}

static bool take_environment(struct credentials *out, struct error *err)
{
    const char *expires = variable("AWS_CREDENTIAL_EXPIRATION");
    if (!take_variable(&out->access_key_id, "AWS_ACCESS_KEY_ID", err) ||
        !take_variable(&out->secret_access_key, "AWS_SECRET_ACCESS_KEY", err) ||
        !take_variable(&out->session_token, "AWS_SESSION_TOKEN", err))
        return false;
    return expires == NULL || clock_parse(bytes_text(expires), &out->expires_us) ||
           error_set(err, ERROR_NO_CREDENTIALS, "AWS_CREDENTIAL_EXPIRATION is not a time");
}

static enum provider_result from_environment(struct credentials *out, struct error *err)
{
    bool has_id = variable("AWS_ACCESS_KEY_ID") != NULL;
    bool has_secret = variable("AWS_SECRET_ACCESS_KEY") != NULL;
    if (!has_id && !has_secret)
        return PROVIDER_ABSENT;
    snprintf(out->source, sizeof out->source, "%s", ENVIRONMENT);
    if (has_id && has_secret)
        return take_environment(out, err) ? PROVIDER_FOUND : PROVIDER_FAILED;
    error_set(err, ERROR_NO_CREDENTIALS, "%s is set, but %s is not",
              has_id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
              has_id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
    return PROVIDER_FAILED;
}

static bool check_expiry(const struct credentials *found, struct error *err)
{
    if (found->expires_us > clock_wall_us())
        return true;
    char when[ISO_Z_SIZE];
    iso_z(when, found->expires_us);
    error_set(err, ERROR_CREDENTIALS_EXPIRED, "the credentials of %.200s expired at %s",
              found->source, when);
    return false;
}

/* The last source. Where it is absent, too, the error names all that were searched. */
static enum provider_result from_instance(struct credentials *out, const char *profile,
                                          struct error *err)
{
    struct error instance = {0};
    enum provider_result result = credentials_from_instance(out, &instance);
    if (result == PROVIDER_ABSENT)
        error_set(err, ERROR_NO_CREDENTIALS,
                  "no AWS credentials in the environment, profile %.60s or a container's; %.200s",
                  profile, instance.cause);
    else if (result == PROVIDER_FAILED)
        *err = instance;
    return result;
}

bool credentials_find(struct credentials *out, const char *profile, int stop_fd, struct error *err)
{
    const char *named = profile != NULL ? profile : variable("AWS_PROFILE");
    const char *name = named != NULL ? named : "default";
    enum provider_result result = PROVIDER_ABSENT;
    credentials_clear(out);
    credentials_init(out);
    if (profile == NULL)
        result = from_environment(out, err);
    if (result == PROVIDER_ABSENT)
        result = credentials_from_profile(out, name, named != NULL, stop_fd, err);
    if (result == PROVIDER_ABSENT)
        result = credentials_from_container(out, err);
    if (result == PROVIDER_ABSENT)
        result = from_instance(out, name, err);
    if (result == PROVIDER_FOUND && check_expiry(out, err))
        return true;
    credentials_clear(out);
    return false;
}
