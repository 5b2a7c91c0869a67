/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Web identity tokens: JSON Web Tokens, signed (RFC 7519, RFC 7515 in its compact form). RS256,
 * ES256, ES384 and ES512, as STS takes them.
 */
#ifndef SIM_KMS_STS_TOKEN_H
#define SIM_KMS_STS_TOKEN_H

#include "sim/kms/kms_request.h"
#include "sim/kms/sts_roles.h"

/*
 * Whether the provider signed the token and it is for this role now: issuer, audience, subject,
 * exp and nbf. *failure is what STS says about it.
 */
MUST_USE bool sts_token_check(const struct sts_provider *provider, struct bytes token,
                              int64_t now_us, struct kms_failure *failure);

#endif
