/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A role for a token that an identity provider wrote to a file, as Kubernetes does for a pod (SDKs
 * and Tools Reference Guide, "Assume role credential provider").
 */
#include <limits.h>
#include <stdio.h>

#include "formats/text.h"
#include "host/credentials/credentials_internal.h"
#include "host/credentials/sts.h"

/* Reads the token, which is renewed behind our back, and exchanges it. */
static enum provider_result exchange(struct credentials *out, const char *path,
                                     const struct sts_role *role, struct bytes preset,
                                     struct error *err)
{
    char region[STS_REGION_SIZE];
    BUFFER_AUTO token;
    buffer_init_secret(&token, STS_TOKEN_FILE_MAX);
    if (credentials_read(path, &token, err) && sts_find_region(region, role, preset, err) &&
        sts_assume_role_with_web_identity(out, region, role, text_trim(buffer_bytes(&token)), err))
        return PROVIDER_FOUND;
    return PROVIDER_FAILED;
}

/* The text of a variable; empty if it is not set. */
static struct bytes variable(const char *name)
{
    const char *value = credentials_variable(name);
    return bytes_text(value != NULL ? value : "");
}

enum provider_result credentials_from_web_identity(struct credentials *out, struct error *err)
{
    const char *path = credentials_variable("AWS_WEB_IDENTITY_TOKEN_FILE");
    struct sts_role role = {
        .arn = variable("AWS_ROLE_ARN"),
        .session_name = variable("AWS_ROLE_SESSION_NAME"),
    };
    if (path == NULL)
        return PROVIDER_ABSENT;
    if (role.arn.len > 0)
        return exchange(out, path, &role, bytes_of(NULL, 0), err);
    error_set(err, ERROR_CREDENTIAL_SOURCE,
              "AWS_WEB_IDENTITY_TOKEN_FILE is set, but AWS_ROLE_ARN is not: set both or neither");
    return PROVIDER_FAILED;
}

enum provider_result credentials_from_profile_web_identity(struct credentials *out,
                                                           const struct profile_files *files,
                                                           const char *profile, struct error *err)
{
    char path[PATH_MAX];
    struct bytes file = profile_setting(files, profile, "web_identity_token_file");
    struct sts_role role = {
        .profile = profile,
        .arn = profile_setting(files, profile, "role_arn"),
        .session_name = profile_setting(files, profile, "role_session_name"),
    };
    if (file.len == 0)
        return PROVIDER_ABSENT;
    if (role.arn.len == 0 || file.len >= sizeof path) {
        error_set(err, ERROR_CREDENTIAL_SOURCE, "profile %.60s has web_identity_token_file%s",
                  profile, role.arn.len == 0 ? ", but no role_arn" : ", which is too long");
        return PROVIDER_FAILED;
    }
    memcpy(path, file.at, file.len);
    path[file.len] = '\0';
    return exchange(out, path, &role, profile_setting(files, profile, "region"), err);
}
