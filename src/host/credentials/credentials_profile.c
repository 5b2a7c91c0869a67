/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of a profile: ~/.aws/credentials and ~/.aws/config. */
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/credentials/credentials_internal.h"
#include "host/credentials/ini.h"
#include "system/file.h"

#define FILE_LIMIT (1u << 20) /* longest file of profiles, bytes */

struct profile_files {
    char credentials_path[PATH_MAX];
    char config_path[PATH_MAX];
    struct buffer credentials; /* secret; empty if the file is not there */
    struct buffer config;
};

static const char *home_folder(void)
{
    const char *home = getenv("HOME");
    if (home != NULL && home[0] != '\0')
        return home;
    const struct passwd *user = getpwuid(getuid());
    return user != NULL && user->pw_dir != NULL ? user->pw_dir : "";
}

/* The path in an environment variable (~/ is the home folder), else .aws/NAME in that folder. */
static bool find_path(char out[PATH_MAX], const char *variable, const char *name, struct error *err)
{
    const char *from = getenv(variable);
    int len;
    if (from == NULL || from[0] == '\0')
        len = snprintf(out, PATH_MAX, "%s/.aws/%s", home_folder(), name);
    else if (strncmp(from, "~/", 2) == 0)
        len = snprintf(out, PATH_MAX, "%s/%s", home_folder(), from + 2);
    else
        len = snprintf(out, PATH_MAX, "%s", from);
    if (len < 0 || len >= PATH_MAX)
        return error_set(err, ERROR_SYSTEM, "the path of %s is too long", variable);
    return true;
}

/* Reads a file; one that is not there counts as empty. */
static bool read_if_there(const char *path, struct buffer *out, struct error *err)
{
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    return file_read(path, out, err);
}

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
        error_set(err, ERROR_NO_CREDENTIALS, "%.220s has no %s", out->source,
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

/* The value of a setting in the credentials file, else in the config file. */
static struct bytes setting(const struct profile_files *files, const char *profile,
                            const char *name)
{
    bool command = strcmp(name, "credential_process") == 0;
    struct bytes value =
        ini_value(buffer_bytes(&files->credentials), INI_CREDENTIALS, profile, name, command);
    if (value.at != NULL)
        return value;
    return ini_value(buffer_bytes(&files->config), INI_CONFIG, profile, name, command);
}

/* A setting that needs AWS STS or SSO. It is reported: skipping it would use other credentials. */
static const char *unsupported_setting(const struct profile_files *files, const char *profile)
{
    static const char *const names[] = {"role_arn", "web_identity_token_file", "sso_session",
                                        "sso_start_url", "login_session"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (setting(files, profile, names[i]).len > 0)
            return names[i];
    return NULL;
}

static enum provider_result refuse_unsupported(const char *profile, const char *name,
                                               struct error *err)
{
    error_set(err, ERROR_NO_CREDENTIALS,
              "profile %.60s uses %s, which only the AWS CLI resolves; add a profile with "
              "credential_process = aws configure export-credentials --profile %.60s --format "
              "process",
              profile, name, profile);
    return PROVIDER_FAILED;
}

static enum provider_result search(struct credentials *out, const struct profile_files *files,
                                   const char *profile, bool named, int stop_fd, struct error *err)
{
    struct bytes credentials = buffer_bytes(&files->credentials);
    struct bytes config = buffer_bytes(&files->config);
    if (!ini_has_profile(credentials, INI_CREDENTIALS, profile) &&
        !ini_has_profile(config, INI_CONFIG, profile)) {
        if (!named)
            return PROVIDER_ABSENT;
        error_set(err, ERROR_NO_CREDENTIALS, "profile %.60s is neither in %.150s nor in %.150s",
                  profile, files->credentials_path, files->config_path);
        return PROVIDER_FAILED;
    }
    const char *unsupported = unsupported_setting(files, profile);
    if (unsupported != NULL)
        return refuse_unsupported(profile, unsupported, err);
    enum provider_result result =
        take_keys(out, credentials, INI_CREDENTIALS, profile, files->credentials_path, err);
    if (result != PROVIDER_ABSENT)
        return result;
    struct bytes command = setting(files, profile, "credential_process");
    if (command.len > 0) {
        snprintf(out->source, sizeof out->source, "credential_process of profile %.60s", profile);
        return credentials_from_process(out, command, stop_fd, err) ? PROVIDER_FOUND
                                                                    : PROVIDER_FAILED;
    }
    return take_keys(out, config, INI_CONFIG, profile, files->config_path, err);
}

enum provider_result credentials_from_profile(struct credentials *out, const char *profile,
                                              bool named, int stop_fd, struct error *err)
{
    struct profile_files files;
    enum provider_result result = PROVIDER_FAILED;
    buffer_init_secret(&files.credentials, FILE_LIMIT);
    buffer_init_secret(&files.config, FILE_LIMIT);
    if (find_path(files.credentials_path, "AWS_SHARED_CREDENTIALS_FILE", "credentials", err) &&
        find_path(files.config_path, "AWS_CONFIG_FILE", "config", err) &&
        read_if_there(files.credentials_path, &files.credentials, err) &&
        read_if_there(files.config_path, &files.config, err))
        result = search(out, &files, profile, named, stop_fd, err);
    buffer_clear(&files.credentials);
    buffer_clear(&files.config);
    return result;
}
