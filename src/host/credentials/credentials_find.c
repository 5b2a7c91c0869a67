/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/credentials_find.h"

#include "host/credentials/credentials_internal.h"

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

/* The environment names a profile by either variable; the one of AWS's SDKs goes first. */
static const char *named_profile(const char *option)
{
    if (option != NULL)
        return option;
    const char *name = credentials_variable("AWS_PROFILE");
    return name != NULL ? name : credentials_variable("AWS_DEFAULT_PROFILE");
}

bool credentials_find(struct credentials *out, const char *profile, int stop_fd, struct error *err)
{
    const char *named = named_profile(profile);
    const char *name = named != NULL ? named : "default";
    enum provider_result result = PROVIDER_ABSENT;
    credentials_clear(out);
    credentials_init(out);
    if (profile == NULL)
        result = credentials_from_environment(out, err);
    if (profile == NULL && result == PROVIDER_ABSENT)
        result = credentials_from_web_identity(out, err);
    if (result == PROVIDER_ABSENT)
        result = credentials_from_profile(out, name, named != NULL, stop_fd, err);
    if (result == PROVIDER_ABSENT)
        result = credentials_from_container(out, err);
    if (result == PROVIDER_ABSENT)
        result = from_instance(out, name, err);
    if (result == PROVIDER_FOUND && credentials_check_expiry(out, err))
        return true;
    credentials_clear(out);
    return false;
}
