/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Security Token Service: credentials of a role for other credentials or for the token of an
 * identity provider, and whose credentials some are (STS API Reference; the Query protocol: a form
 * by POST, XML back). host/aws/aws.h says which endpoint is called, and how another is named.
 */
#ifndef HOST_CREDENTIALS_STS_H
#define HOST_CREDENTIALS_STS_H

#include "host/credentials/credentials.h"

#define STS_TOKEN_MAX      20000               /* of a web identity token, bytes (STS API) */
#define STS_TOKEN_FILE_MAX (STS_TOKEN_MAX + 2) /* with the end of a line */
#define STS_REGION_SIZE    33
#define STS_ARN_SIZE       2049 /* STS's own limit, with a terminator */

/* What a role is assumed with. Empty views: not given. */
struct sts_role {
    const char *profile; /* for messages; NULL: the environment */
    struct bytes arn;
    struct bytes session_name;
    struct bytes external_id;
    struct bytes duration_seconds;
};

/*
 * The region whose STS is asked about a role: AWS_REGION, else AWS_DEFAULT_REGION, else the
 * profile's (may be empty), else us-east-1 for a role of the partition aws.
 * ERROR_CREDENTIAL_SOURCE.
 */
MUST_USE bool sts_find_region(char out[STS_REGION_SIZE], const struct sts_role *role,
                              struct bytes profile_region, struct error *err);

/* Both fill *out, its source and its expiry too. ERROR_CREDENTIAL_SOURCE with cause and remedy. */
MUST_USE bool sts_assume_role(struct credentials *out, const char *region,
                              const struct sts_role *role, const struct credentials *with,
                              struct error *err);
MUST_USE bool sts_assume_role_with_web_identity(struct credentials *out, const char *region,
                                                const struct sts_role *role, struct bytes token,
                                                struct error *err);

/*
 * The ARN of whose credentials these are, as STS knows them (GetCallerIdentity, which needs no
 * permission). region: where to ask if the environment names none; may be NULL. ERROR_NETWORK where
 * STS cannot be asked, which says nothing about the credentials; ERROR_CREDENTIAL_SOURCE.
 */
MUST_USE bool sts_caller_identity(char arn[STS_ARN_SIZE], const struct credentials *credentials,
                                  const char *region, struct error *err);

#endif
