/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts, partitions, roles and instances: from the form that users write to that of policies. */
#ifndef HOST_POLICY_POLICY_NAMES_H
#define HOST_POLICY_POLICY_NAMES_H

#include "base/error.h"
#include "formats/arn.h"

#define POLICY_ARN_SIZE       800 /* of a role, with a path of at most 512 characters */
#define POLICY_PARTITION_SIZE 32
#define POLICY_ACCOUNT_SIZE   (ARN_ACCOUNT_LEN + 1) /* with a terminator */

/* The owner of the key. A text is empty until it is known. */
struct policy_names {
    char partition[POLICY_PARTITION_SIZE]; /* aws, aws-cn, aws-us-gov, … */
    char account[POLICY_ACCOUNT_SIZE];
};

/* Each sets a field, or fails with ERROR_USAGE. */
MUST_USE bool policy_names_partition(struct policy_names *names, const char *text,
                                     struct error *err);
MUST_USE bool policy_names_account(struct policy_names *names, const char *text, struct error *err);

/* Which kinds of principal an option accepts. */
enum policy_principal {
    POLICY_ROLE_ONLY,
    POLICY_ROLE_USER_OR_ROOT, /* an administrator */
};

/*
 * Writes the ARN of a principal given as NAME, PATH/NAME (a role of names->account) or ARN. An ARN
 * sets the partition and the account if they are unknown. A different partition is refused, a
 * different account is not: a key can serve a role of another account. what is for messages.
 */
MUST_USE bool policy_names_arn(struct policy_names *names, const char *what, const char *text,
                               enum policy_principal allowed, char out[POLICY_ARN_SIZE],
                               struct error *err);

/* An instance's id: i- and 8 or 17 lower-case hex digits. */
MUST_USE bool policy_instance_check(const char *option, const char *text, struct error *err);

/* Accepts a pair NAME=VALUE of encryption context that a policy can hold. ERROR_USAGE. */
MUST_USE bool policy_context_check(const char *option, const char *text, struct error *err);

#endif
