/* SPDX-License-Identifier: Apache-2.0 */
/* What an operator can do about KMS's refusals. enclaved tells what KMS said and nothing more. */
#ifndef HOST_KMS_HINTS_H
#define HOST_KMS_HINTS_H

struct kms_hint {
    const char *needle; /* stands in KMS's type or message */
    const char *why, *remedy;
};

/* The hint for what KMS said (its type and message, or a text that holds them); NULL: none. */
const struct kms_hint *kms_hint(const char *said);

#endif
