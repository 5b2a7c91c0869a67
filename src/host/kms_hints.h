/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator can do about failures that enclaved reports in the words of KMS or OpenSSL. */
#ifndef HOST_KMS_HINTS_H
#define HOST_KMS_HINTS_H

struct kms_hint {
    const char *code;   /* of the failure: kms_denied, tls_failed */
    const char *needle; /* occurs in what was said */
    const char *why, *remedy;
};

/* The hint for a failure. said: KMS's type and message, or the cause. NULL: there is none. */
const struct kms_hint *kms_hint(const char *code, const char *said);

#endif
