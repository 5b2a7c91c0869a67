/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS credentials, found as AWS's tools find them (AWS SDKs and Tools Reference Guide,
 * "Standardized credential providers"), in this order:
 *
 *     keys in the environment
 *     web identity in the environment       AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN
 *     the profile: --profile, else AWS_PROFILE, else AWS_DEFAULT_PROFILE, else default. Within it:
 *         role_arn with source_profile or credential_source
 *         role_arn with web_identity_token_file
 *         sso_account_id, sso_role_name     through the AWS CLI
 *         keys of the shared credentials file
 *         login_session                     through the AWS CLI
 *         credential_process
 *         keys of the config file
 *     the container's endpoint
 *     instance metadata                     IMDSv2 only
 *
 * The order within a profile is that of the AWS CLI. With --profile the environment is not asked,
 * as with the AWS CLI. A source that is configured and fails is the error; the next one is never
 * taken in its place.
 */
#ifndef HOST_CREDENTIALS_CREDENTIALS_FIND_H
#define HOST_CREDENTIALS_CREDENTIALS_FIND_H

#include "host/credentials/credentials.h"

/*
 * Finds credentials, and says in source where and in expires_us until when. profile: --profile, or
 * NULL. stop_fd: readable once to give up (-1: none). ERROR_NO_CREDENTIALS with the places that
 * were searched; ERROR_CREDENTIAL_SOURCE, with cause and remedy, where a source is there but does
 * not work; ERROR_CREDENTIALS_EXPIRED; ERROR_SHUTTING_DOWN.
 */
MUST_USE bool credentials_find(struct credentials *out, const char *profile, int stop_fd,
                               struct error *err);

#endif
