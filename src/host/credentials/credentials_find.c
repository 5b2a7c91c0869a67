/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/credentials_find.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "host/credentials/credentials_internal.h"

static enum provider_result from_environment(struct credentials *out, struct error *err)
{
    static const char origin[] = "the environment";
    const char *id = getenv("AWS_ACCESS_KEY_ID");
    const char *secret = getenv("AWS_SECRET_ACCESS_KEY");
    const char *token = getenv("AWS_SESSION_TOKEN");
    const char *expires = getenv("AWS_CREDENTIAL_EXPIRATION");
    bool has_id = id != NULL && id[0] != '\0', has_secret = secret != NULL && secret[0] != '\0';
    if (!has_id && !has_secret)
        return PROVIDER_ABSENT;
    snprintf(out->source, sizeof out->source, "%s", origin);
    if (!has_id || !has_secret) {
        error_set(err, ERROR_NO_CREDENTIALS, "%s is set, but %s is not",
                  has_id ? "AWS_ACCESS_KEY_ID" : "AWS_SECRET_ACCESS_KEY",
                  has_id ? "AWS_SECRET_ACCESS_KEY" : "AWS_ACCESS_KEY_ID");
        return PROVIDER_FAILED;
    }
    if (!credentials_set(&out->access_key_id, bytes_text(id), "AWS_ACCESS_KEY_ID", origin, err) ||
        !credentials_set(&out->secret_access_key, bytes_text(secret), "AWS_SECRET_ACCESS_KEY",
                         origin, err) ||
        (token != NULL && token[0] != '\0' &&
         !credentials_set(&out->session_token, bytes_text(token), "AWS_SESSION_TOKEN", origin,
                          err)))
        return PROVIDER_FAILED;
    if (expires != NULL && expires[0] != '\0' &&
        !clock_parse(bytes_text(expires), &out->expires_us)) {
        error_set(err, ERROR_NO_CREDENTIALS, "AWS_CREDENTIAL_EXPIRATION is not a time");
        return PROVIDER_FAILED;
    }
    return PROVIDER_FOUND;
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

bool credentials_find(struct credentials *out, const char *profile, int stop_fd, struct error *err)
{
    const char *from = getenv("AWS_PROFILE");
    bool in_environment = from != NULL && from[0] != '\0';
    const char *name = profile != NULL ? profile : in_environment ? from : "default";
    enum provider_result result = PROVIDER_ABSENT;
    credentials_clear(out);
    credentials_init(out);
    if (profile == NULL)
        result = from_environment(out, err);
    if (result == PROVIDER_ABSENT)
        result =
            credentials_from_profile(out, name, profile != NULL || in_environment, stop_fd, err);
    if (result == PROVIDER_ABSENT)
        result = credentials_from_container(out, err);
    struct error instance = {0};
    if (result == PROVIDER_ABSENT) {
        result = credentials_from_instance(out, &instance);
        if (result == PROVIDER_ABSENT)
            error_set(
                err, ERROR_NO_CREDENTIALS,
                "no AWS credentials in the environment, profile %.60s or a container's; %.200s",
                name, instance.cause);
        else if (result == PROVIDER_FAILED)
            *err = instance;
    }
    if (result == PROVIDER_FOUND && check_expiry(out, err))
        return true;
    credentials_clear(out);
    return false;
}
