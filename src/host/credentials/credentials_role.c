/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A profile that assumes a role with other credentials (SDKs and Tools Reference Guide, "Assume
 * role credential provider"):
 *
 *     role_arn = ARN
 *     source_profile = NAME | credential_source = Environment | Ec2InstanceMetadata | EcsContainer
 *     external_id, role_session_name, duration_seconds
 *
 * The source may assume a role itself. A profile that names itself as its source has keys, too.
 */
#include <stdio.h>
#include <strings.h>

#include "host/credentials/credentials_internal.h"
#include "host/credentials/sts.h"

#define CHAIN_MAX    8   /* profiles in a chain of sources */
#define PROFILE_SIZE 256 /* of a profile's name, with its terminator */

struct chain {
    const struct profile_files *files;
    char profiles[CHAIN_MAX][PROFILE_SIZE]; /* each is the source of the one before */
    size_t count;
    char credential_source[32]; /* where the last one takes its credentials; empty: its own */
};

static bool has(const struct profile_files *files, const char *profile, const char *name)
{
    return profile_setting(files, profile, name).len > 0;
}

bool credentials_profile_has_role(const struct profile_files *files, const char *profile)
{
    return has(files, profile, "role_arn") && !has(files, profile, "web_identity_token_file");
}

static bool has_keys(const struct profile_files *files, const char *profile)
{
    return has(files, profile, "aws_access_key_id") || has(files, profile, "aws_secret_access_key");
}

/* Whether the chain ends with a profile that is in it already. */
static bool is_circle(const struct chain *chain)
{
    for (size_t i = 0; i + 1 < chain->count; i++)
        if (strcmp(chain->profiles[i], chain->profiles[chain->count - 1]) == 0)
            return true;
    return false;
}

static bool add_profile(struct chain *chain, const char *from, struct bytes name, struct error *err)
{
    char *to = chain->profiles[chain->count];
    if (name.len >= PROFILE_SIZE)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "source_profile of profile %.60s is too long", from);
    memcpy(to, name.at, name.len);
    to[name.len] = '\0';
    chain->count++;
    return profile_exists(chain->files, to) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "source_profile %.60s of profile %.60s is neither in %.120s nor in %.120s", to,
                     from, chain->files->credentials_path, chain->files->config_path);
}

static bool take_credential_source(struct chain *chain, const char *profile, struct bytes name,
                                   struct error *err)
{
    static const char *const known[] = {"Environment", "Ec2InstanceMetadata", "EcsContainer"};
    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        if (!bytes_equal_text(name, known[i]))
            continue;
        snprintf(chain->credential_source, sizeof chain->credential_source, "%s", known[i]);
        return true;
    }
    return error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "credential_source of profile %.60s is none of Environment, "
                     "Ec2InstanceMetadata and EcsContainer",
                     profile);
}

/* Adds the source of the last profile, which has a role. *more: the source has a role, too. */
static bool add_source(struct chain *chain, bool *more, struct error *err)
{
    const struct profile_files *files = chain->files;
    const char *profile = chain->profiles[chain->count - 1];
    struct bytes source = profile_setting(files, profile, "source_profile");
    struct bytes provider = profile_setting(files, profile, "credential_source");
    *more = false;
    if (has(files, profile, "mfa_serial"))
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "profile %.60s has mfa_serial, and nobody is there to type the code: let "
                         "the AWS CLI assume the role and put the credentials into another profile",
                         profile);
    if ((source.len > 0) == (provider.len > 0))
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "profile %.60s has role_arn and %s: give one of them", profile,
                         source.len > 0 ? "both source_profile and credential_source"
                                        : "neither source_profile nor credential_source");
    if (provider.len > 0)
        return take_credential_source(chain, profile, provider, err);
    if (chain->count == CHAIN_MAX)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "profile %.60s: more than %d profiles follow by source_profile",
                         chain->profiles[0], CHAIN_MAX);
    if (!add_profile(chain, profile, source, err))
        return false;
    const char *added = chain->profiles[chain->count - 1];
    if (has_keys(files, added) || !credentials_profile_has_role(files, added))
        return true; /* what is its own counts, also where it names itself */
    *more = true;
    return !is_circle(chain) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE,
                     "profile %.60s: source_profile leads in a circle back to %.60s",
                     chain->profiles[0], added);
}

/* The credentials at the end of the chain. */
static enum provider_result find_first(struct credentials *out, const struct chain *chain,
                                       int stop_fd, struct error *err)
{
    const char *last = chain->profiles[chain->count - 1];
    const char *provider = chain->credential_source;
    enum provider_result result;
    if (strcmp(provider, "Environment") == 0)
        result = credentials_from_environment(out, err);
    else if (strcmp(provider, "EcsContainer") == 0)
        result = credentials_from_container(out, err);
    else if (provider[0] != '\0')
        result = credentials_from_instance(out, err);
    else
        result = credentials_from_plain_profile(out, chain->files, last, stop_fd, err);
    if (result == PROVIDER_ABSENT && provider[0] != '\0')
        error_set(err, ERROR_CREDENTIAL_SOURCE,
                  "credential_source %s of profile %.60s has no credentials", provider, last);
    else if (result == PROVIDER_ABSENT)
        error_set(err, ERROR_CREDENTIAL_SOURCE, "source_profile %.60s has no credentials", last);
    if (result == PROVIDER_FOUND && credentials_check_expiry(out, err))
        return PROVIDER_FOUND;
    return PROVIDER_FAILED;
}

/* Assumes the role of a profile with the credentials in *with, and puts those of the role there. */
static bool assume(struct credentials *with, const struct chain *chain, size_t at,
                   struct error *err)
{
    const struct profile_files *files = chain->files;
    const char *profile = chain->profiles[at];
    CREDENTIALS_AUTO got;
    credentials_init(&got);
    char region[STS_REGION_SIZE];
    struct sts_role role = {
        .profile = profile,
        .arn = profile_setting(files, profile, "role_arn"),
        .session_name = profile_setting(files, profile, "role_session_name"),
        .external_id = profile_setting(files, profile, "external_id"),
        .duration_seconds = profile_setting(files, profile, "duration_seconds"),
    };
    struct bytes preset = profile_setting(files, chain->profiles[0], "region");
    if (!sts_find_region(region, &role, preset, err) ||
        !sts_assume_role(&got, region, &role, with, err))
        return false;
    struct credentials old = *with;
    *with = got;
    got = old; /* wiped on return */
    return true;
}

enum provider_result credentials_from_role(struct credentials *out,
                                           const struct profile_files *files, const char *profile,
                                           int stop_fd, struct error *err)
{
    struct chain chain = {.files = files};
    bool more = true;
    if (strlen(profile) >= PROFILE_SIZE) {
        error_set(err, ERROR_CREDENTIAL_SOURCE, "the name of profile %.60s… is too long", profile);
        return PROVIDER_FAILED;
    }
    snprintf(chain.profiles[chain.count++], PROFILE_SIZE, "%s", profile);
    size_t roles = 0;
    for (; more; roles++)
        if (!add_source(&chain, &more, err))
            return PROVIDER_FAILED;
    if (find_first(out, &chain, stop_fd, err) != PROVIDER_FOUND)
        return PROVIDER_FAILED;
    while (roles > 0)
        if (!assume(out, &chain, --roles, err))
            return PROVIDER_FAILED;
    return PROVIDER_FOUND;
}
