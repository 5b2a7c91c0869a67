/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of a profile: which of its settings counts. */
#include <stdio.h>

#include "host/credentials/credentials_internal.h"
#include "host/credentials/ini.h"

/* Takes the keys that a profile has in one of the files. */
static enum provider_result take_keys(struct credentials *out, struct bytes text,
                                      enum ini_kind kind, const char *profile, const char *path,
                                      struct error *err)
{
    struct bytes id = ini_value(text, kind, profile, "aws_access_key_id", false);
    struct bytes secret = ini_value(text, kind, profile, "aws_secret_access_key", false);
    struct bytes token = ini_value(text, kind, profile, "aws_session_token", false);
    if (id.at == NULL && secret.at == NULL)
        return PROVIDER_ABSENT;
    snprintf(out->source, sizeof out->source, "profile %.60s of %.150s", profile, path);
    if (id.at == NULL || secret.at == NULL) {
        error_set(err, ERROR_CREDENTIAL_SOURCE, "%.220s has no %s", out->source,
                  id.at == NULL ? "aws_access_key_id" : "aws_secret_access_key");
        return PROVIDER_FAILED;
    }
    bool good = credentials_set(&out->access_key_id, id, "aws_access_key_id", out->source, err) &&
                credentials_set(&out->secret_access_key, secret, "aws_secret_access_key",
                                out->source, err) &&
                (token.len == 0 || credentials_set(&out->session_token, token, "aws_session_token",
                                                   out->source, err));
    return good ? PROVIDER_FOUND : PROVIDER_FAILED;
}

/* Has the AWS CLI resolve the profile if it has one of the settings. */
static enum provider_result take_cli(struct credentials *out, const struct profile_files *files,
                                     const char *profile, const char *const settings[2],
                                     int stop_fd, struct error *err)
{
    for (size_t i = 0; i < 2; i++)
        if (settings[i] != NULL && profile_setting(files, profile, settings[i]).len > 0)
            return credentials_from_cli(out, profile, settings[i], stop_fd, err) ? PROVIDER_FOUND
                                                                                 : PROVIDER_FAILED;
    return PROVIDER_ABSENT;
}

static enum provider_result take_process(struct credentials *out, const struct profile_files *files,
                                         const char *profile, int stop_fd, struct error *err)
{
    struct bytes command = profile_setting(files, profile, "credential_process");
    if (command.len == 0)
        return PROVIDER_ABSENT;
    snprintf(out->source, sizeof out->source, "credential_process of profile %.60s", profile);
    return credentials_from_process(out, command, stop_fd, err) ? PROVIDER_FOUND : PROVIDER_FAILED;
}

/*
 * A session of SSO alone is for other tokens than credentials: it counts only where the profile has
 * nothing else.
 */
enum provider_result credentials_from_plain_profile(struct credentials *out,
                                                    const struct profile_files *files,
                                                    const char *profile, int stop_fd,
                                                    struct error *err)
{
    static const char *const sso[] = {"sso_account_id", "sso_role_name"};
    static const char *const login[] = {"login_session", NULL};
    static const char *const session[] = {"sso_session", "sso_start_url"};
    enum provider_result result = credentials_from_profile_web_identity(out, files, profile, err);
    if (result == PROVIDER_ABSENT)
        result = take_cli(out, files, profile, sso, stop_fd, err);
    if (result == PROVIDER_ABSENT)
        result = take_keys(out, buffer_bytes(&files->credentials), INI_CREDENTIALS, profile,
                           files->credentials_path, err);
    if (result == PROVIDER_ABSENT)
        result = take_cli(out, files, profile, login, stop_fd, err);
    if (result == PROVIDER_ABSENT)
        result = take_process(out, files, profile, stop_fd, err);
    if (result == PROVIDER_ABSENT)
        result = take_keys(out, buffer_bytes(&files->config), INI_CONFIG, profile,
                           files->config_path, err);
    if (result == PROVIDER_ABSENT)
        result = take_cli(out, files, profile, session, stop_fd, err);
    return result;
}

static enum provider_result search(struct credentials *out, const struct profile_files *files,
                                   const char *profile, bool named, int stop_fd, struct error *err)
{
    if (!profile_exists(files, profile)) {
        if (!named)
            return PROVIDER_ABSENT;
        error_set(err, ERROR_CREDENTIAL_SOURCE, "profile %.60s is neither in %.150s nor in %.150s",
                  profile, files->credentials_path, files->config_path);
        return PROVIDER_FAILED;
    }
    return credentials_profile_has_role(files, profile)
               ? credentials_from_role(out, files, profile, stop_fd, err)
               : credentials_from_plain_profile(out, files, profile, stop_fd, err);
}

enum provider_result credentials_from_profile(struct credentials *out, const char *profile,
                                              bool named, int stop_fd, struct error *err)
{
    struct profile_files files;
    enum provider_result result = PROVIDER_FAILED;
    if (profile_files_load(&files, err))
        result = search(out, &files, profile, named, stop_fd, err);
    profile_files_clear(&files);
    return result;
}
