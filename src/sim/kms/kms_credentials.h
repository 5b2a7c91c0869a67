/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials file: what IAM and STS would know. A JSON array of
 *
 *     {"access_key_id", "secret_access_key", "session_token"?, "expiration"?, "principal"}
 *
 * expiration is ISO 8601, principal the ARN of a user, a role, an assumed role or an account's
 * root. Unknown members are refused. The file must not be readable by others.
 */
#ifndef SIM_KMS_KMS_CREDENTIALS_H
#define SIM_KMS_KMS_CREDENTIALS_H

#include "sim/kms/kms_call.h"

/* Reads service->credentials_path into the store, replacing what it held. */
MUST_USE bool kms_credentials_load(struct kms_service *service, struct error *err);

/* Loads again if the file has changed. A file that cannot be used is logged, and changes nothing.
 */
void kms_credentials_refresh(struct kms_service *service);

/* The account in an ARN of IAM or STS; false if arn is none. */
MUST_USE bool kms_principal_account(const char *arn, char account[13]);

#endif
