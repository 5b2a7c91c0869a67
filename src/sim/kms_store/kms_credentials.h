/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The credentials file: what IAM and STS would know. A JSON array of
 *
 *     {"access_key_id", "secret_access_key", "session_token"?, "expiration"?, "principal"}
 *
 * expiration is ISO 8601; principal is the ARN of a user, a role, an assumed role or an account's
 * root. Unknown members are refused. The file must not be readable by others.
 */
#ifndef SIM_KMS_STORE_KMS_CREDENTIALS_H
#define SIM_KMS_STORE_KMS_CREDENTIALS_H

#include "sim/kms_store/kms_store.h"
#include "sim/watched_file.h"

#define KMS_ACCOUNT_SIZE 13 /* 12 digits and a terminator */

/* Reads the file into the store, in place of the credentials that it held. */
MUST_USE bool kms_credentials_load(struct kms_store *store, struct watched_file *file,
                                   struct error *err);

/* Loads again if the file has changed. A file that cannot be used is logged and changes nothing. */
void kms_credentials_refresh(struct kms_store *store, struct watched_file *file);

/* The account in an ARN of IAM or STS; false if arn is not such an ARN. */
MUST_USE bool kms_principal_account(const char *arn, char account[KMS_ACCOUNT_SIZE]);

#endif
