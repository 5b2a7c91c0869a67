/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The single providers, and what they share. A provider resets the fields that it does not find; on
 * PROVIDER_FAILED *err is ERROR_CREDENTIAL_SOURCE with cause and remedy, or ERROR_SHUTTING_DOWN.
 */
#ifndef HOST_CREDENTIALS_CREDENTIALS_INTERNAL_H
#define HOST_CREDENTIALS_CREDENTIALS_INTERNAL_H

#include "host/credentials/credentials.h"
#include "host/credentials/profile_files.h"
#include "host/web.h"

enum provider_result { PROVIDER_FOUND, PROVIDER_ABSENT, PROVIDER_FAILED };

/* AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_CREDENTIAL_EXPIRATION. */
MUST_USE enum provider_result credentials_from_environment(struct credentials *out,
                                                           struct error *err);
/* AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN, AWS_ROLE_SESSION_NAME. */
MUST_USE enum provider_result credentials_from_web_identity(struct credentials *out,
                                                            struct error *err);
/* web_identity_token_file, role_arn, role_session_name of a profile. */
MUST_USE enum provider_result credentials_from_profile_web_identity(
    struct credentials *out, const struct profile_files *files, const char *profile,
    struct error *err);
/* The profile's files. named: the user named the profile, so that it must be there. */
MUST_USE enum provider_result credentials_from_profile(struct credentials *out, const char *profile,
                                                       bool named, int stop_fd, struct error *err);
/* Whether a profile assumes a role with other credentials (and not with a web identity). */
bool credentials_profile_has_role(const struct profile_files *files, const char *profile);
/* role_arn of a profile, with source_profile or credential_source; there must be one. */
MUST_USE enum provider_result credentials_from_role(struct credentials *out,
                                                    const struct profile_files *files,
                                                    const char *profile, int stop_fd,
                                                    struct error *err);
/* What a profile has besides a role with other credentials; the first in the order of AWS's CLI. */
MUST_USE enum provider_result credentials_from_plain_profile(struct credentials *out,
                                                             const struct profile_files *files,
                                                             const char *profile, int stop_fd,
                                                             struct error *err);
/* Runs a credential_process. */
MUST_USE bool credentials_from_process(struct credentials *out, struct bytes command, int stop_fd,
                                       struct error *err);
/* Has the AWS CLI resolve a profile. why: the setting that only it understands. */
MUST_USE bool credentials_from_cli(struct credentials *out, const char *profile, const char *why,
                                   int stop_fd, struct error *err);
/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. */
MUST_USE enum provider_result credentials_from_container(struct credentials *out,
                                                         struct error *err);
/* IMDSv2. ABSENT (with *err filled): switched off, or there is no answer. */
MUST_USE enum provider_result credentials_from_instance(struct credentials *out, struct error *err);

/* The value of an environment variable, or NULL; one that is empty counts as not set. */
const char *credentials_variable(const char *name);

/* Appends the content of a file. ERROR_CREDENTIAL_SOURCE. */
MUST_USE bool credentials_read(const char *path, struct buffer *out, struct error *err);

/* ERROR_CREDENTIALS_EXPIRED if they have expired. */
MUST_USE bool credentials_check_expiry(const struct credentials *found, struct error *err);

/* Copies what a service said into a message: printable ASCII, cut to size - 1 characters. */
void credentials_quote(char *out, size_t size, struct bytes said);

#define METADATA_ANSWER_LIMIT 65536 /* bytes */
#define METADATA_CONNECT_MS   1000  /* as AWS's tools: outside EC2 there is no answer */
#define METADATA_TOTAL_MS     5000

/* A GET from a metadata service. header: "Name: value" or NULL. origin is for the message. */
MUST_USE bool credentials_get(const char *url, const char *header, long *status,
                              struct buffer *answer, const char *origin, struct error *err);

#endif
