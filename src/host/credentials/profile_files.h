/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The profiles of this user: ~/.aws/credentials and ~/.aws/config, or the files that
 * AWS_SHARED_CREDENTIALS_FILE and AWS_CONFIG_FILE name. A file that is not there counts as empty.
 */
#ifndef HOST_CREDENTIALS_PROFILE_FILES_H
#define HOST_CREDENTIALS_PROFILE_FILES_H

#include <limits.h>

#include "base/buffer.h"
#include "base/error.h"

struct profile_files {
    char credentials_path[PATH_MAX];
    char config_path[PATH_MAX];
    struct buffer credentials; /* secret; empty if the file is not there */
    struct buffer config;
};

/* Clear files in any case. ERROR_CREDENTIAL_SOURCE. */
MUST_USE bool profile_files_load(struct profile_files *files, struct error *err);
void profile_files_clear(struct profile_files *files);

/* Whether either file has a section for the profile. */
bool profile_exists(const struct profile_files *files, const char *profile);

/* The value of a setting in the credentials file, else in the config file; empty if none has it. */
struct bytes profile_setting(const struct profile_files *files, const char *profile,
                             const char *name);

#endif
