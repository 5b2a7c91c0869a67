/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The roles file: what IAM would know about roles and whom they trust. A JSON array of
 *
 *     {"arn", "trusts"?: [ARN…], "external_id"?, "max_seconds"?,
 *      "identity_provider"?: {"issuer", "audience", "subject", "public_key"}}
 *
 * trusts lists who may assume the role: users, roles, assumed roles; the root of an account stands
 * for all its principals. public_key is base64 of a DER SubjectPublicKeyInfo. Other members are
 * refused.
 */
#ifndef SIM_KMS_STS_ROLES_H
#define SIM_KMS_STS_ROLES_H

#include "base/buffer.h"
#include "base/error.h"
#include "sim/kms_store/kms_store.h"

struct sts_roles;

/* path: the file, read again whenever it changes. A change that cannot be used is logged only. */
MUST_USE struct sts_roles *sts_roles_new(const char *path, struct error *err);
void sts_roles_free(struct sts_roles *roles);

#define STS_TEXT_SIZE 2048 /* of a text of the file, with its terminator */

struct sts_provider {
    char issuer[STS_TEXT_SIZE], audience[STS_TEXT_SIZE], subject[STS_TEXT_SIZE];
    struct buffer public_key; /* DER; empty: the role trusts no identity provider */
};

struct sts_role {
    char arn[KMS_ARN_SIZE];
    char external_id[STS_TEXT_SIZE]; /* empty: none is asked for */
    int64_t max_seconds;
    bool trusted; /* the caller that was asked about may assume it */
    struct sts_provider provider;
};

/*
 * Finds a role and whether it trusts caller (empty: nobody). roles may be NULL. The caller clears
 * role->provider.public_key in any case.
 */
MUST_USE bool sts_roles_find(struct sts_roles *roles, struct bytes arn, const char *caller,
                             struct sts_role *role);

#endif
