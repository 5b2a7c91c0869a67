/* SPDX-License-Identifier: Apache-2.0 */
/* The single providers. Each resets the fields that it does not find. */
#ifndef HOST_CREDENTIALS_CREDENTIALS_INTERNAL_H
#define HOST_CREDENTIALS_CREDENTIALS_INTERNAL_H

#include "host/credentials/credentials.h"

enum provider_result { PROVIDER_FOUND, PROVIDER_ABSENT, PROVIDER_FAILED };

/* The profile's files. named: the user named the profile, so that it must be there. */
MUST_USE enum provider_result credentials_from_profile(struct credentials *out, const char *profile,
                                                       bool named, int stop_fd, struct error *err);
/* Runs a credential_process. */
MUST_USE bool credentials_from_process(struct credentials *out, struct bytes command, int stop_fd,
                                       struct error *err);
/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. */
MUST_USE enum provider_result credentials_from_container(struct credentials *out,
                                                         struct error *err);
/* IMDSv2. ABSENT (with *err filled): switched off, or there is no answer. */
MUST_USE enum provider_result credentials_from_instance(struct credentials *out, struct error *err);

#endif
