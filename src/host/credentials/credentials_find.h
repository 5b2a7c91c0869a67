/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS credentials, found as AWS's tools find them (AWS SDKs and Tools Reference Guide,
 * "Standardized credential providers"), in this order: environment, profile (shared credentials
 * file, then credential_process and keys of the config file), container, instance metadata (IMDSv2
 * only). A profile that is named explicitly (--profile) goes before the environment, as with the
 * AWS CLI.
 */
#ifndef HOST_CREDENTIALS_CREDENTIALS_FIND_H
#define HOST_CREDENTIALS_CREDENTIALS_FIND_H

#include "host/credentials/credentials.h"

/*
 * Finds credentials. profile: --profile, or NULL. stop_fd: readable once to give up (-1: none).
 * ERROR_NO_CREDENTIALS with the places that were searched; other errors where a source is there but
 * broken: it is never skipped in favour of the next one.
 */
MUST_USE bool credentials_find(struct credentials *out, const char *profile, int stop_fd,
                               struct error *err);

#endif
