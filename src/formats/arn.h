/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Amazon Resource Names, arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE (AWS General Reference,
 * "Amazon Resource Names (ARNs)"). Results are views into the text.
 */
#ifndef FORMATS_ARN_H
#define FORMATS_ARN_H

#include "base/bytes.h"

#define ARN_ACCOUNT_LEN 12 /* digits of an account id */

struct arn {
    struct bytes partition; /* aws, aws-cn, … */
    struct bytes service;
    struct bytes region; /* empty: the service is global */
    struct bytes account;
    struct bytes resource; /* may contain colons */
};

/* An account id: 12 digits. */
bool arn_is_account(struct bytes text);

/* False if text is not the ARN of something that an account owns, or has a wildcard. */
MUST_USE bool arn_parse(struct arn *out, struct bytes text);

/* One who can ask: root, a user, a role, or a session of a role or of a federated user. */
bool arn_is_principal(struct bytes text);

/* A key of KMS, not one of its aliases. */
bool arn_is_key(struct bytes text);

#endif
