/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/profile_files.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/credentials/credentials_internal.h"
#include "host/credentials/ini.h"

#define FILE_LIMIT (1u << 20) /* longest file of profiles, bytes */

static const char *home_folder(void)
{
    const char *home = credentials_variable("HOME");
    if (home != NULL)
        return home;
    const struct passwd *user = getpwuid(getuid());
    return user != NULL && user->pw_dir != NULL ? user->pw_dir : "";
}

/* The path in an environment variable (~/ is the home folder), else .aws/NAME in that folder. */
static bool find_path(char out[PATH_MAX], const char *variable, const char *name, struct error *err)
{
    const char *from = credentials_variable(variable);
    int len;
    if (from == NULL)
        len = snprintf(out, PATH_MAX, "%s/.aws/%s", home_folder(), name);
    else if (strncmp(from, "~/", 2) == 0)
        len = snprintf(out, PATH_MAX, "%s/%s", home_folder(), from + 2);
    else
        len = snprintf(out, PATH_MAX, "%s", from);
    if (len < 0 || len >= PATH_MAX)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "the path of %s is too long", variable);
    return true;
}

/* Reads a file; one that is not there counts as empty. */
static bool read_if_there(const char *path, struct buffer *out, struct error *err)
{
    if (access(path, F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    return credentials_read(path, out, err);
}

bool profile_files_load(struct profile_files *files, struct error *err)
{
    buffer_init_secret(&files->credentials, FILE_LIMIT);
    buffer_init_secret(&files->config, FILE_LIMIT);
    return find_path(files->credentials_path, "AWS_SHARED_CREDENTIALS_FILE", "credentials", err) &&
           find_path(files->config_path, "AWS_CONFIG_FILE", "config", err) &&
           read_if_there(files->credentials_path, &files->credentials, err) &&
           read_if_there(files->config_path, &files->config, err);
}

void profile_files_clear(struct profile_files *files)
{
    buffer_clear(&files->credentials);
    buffer_clear(&files->config);
}

bool profile_exists(const struct profile_files *files, const char *profile)
{
    return ini_has_profile(buffer_bytes(&files->credentials), INI_CREDENTIALS, profile) ||
           ini_has_profile(buffer_bytes(&files->config), INI_CONFIG, profile);
}

struct bytes profile_setting(const struct profile_files *files, const char *profile,
                             const char *name)
{
    bool command = strcmp(name, "credential_process") == 0;
    struct bytes value =
        ini_value(buffer_bytes(&files->credentials), INI_CREDENTIALS, profile, name, command);
    if (value.at != NULL)
        return value;
    return ini_value(buffer_bytes(&files->config), INI_CONFIG, profile, name, command);
}
