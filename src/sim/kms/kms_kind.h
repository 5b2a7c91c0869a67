/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds of keys that are simulated, in the words of the KMS API: KeySpec and KeyUsage. */
#ifndef SIM_KMS_KMS_KIND_H
#define SIM_KMS_KMS_KIND_H

#include "sim/kms/kms_call.h"

struct kms_kind {
    const char *spec;       /* KeySpec */
    const char *usage;      /* KeyUsage */
    const char *algorithms; /* the member of KeyMetadata that lists the one algorithm */
    const char *algorithm;
};

const struct kms_kind *kms_kind(enum kms_spec spec);

/* KeySpec (or CustomerMasterKeySpec) and KeyUsage of CreateKey, which must go together. */
MUST_USE bool kms_take_kind(struct kms_call *call, enum kms_spec *spec);
/* Makes the backing of call->key, whose spec is set. */
MUST_USE bool kms_make_backing(struct kms_call *call);
/* InvalidKeyUsageException unless call->key is of this spec, the only one of its usage. */
MUST_USE bool kms_require_spec(struct kms_call *call, enum kms_spec spec);

#endif
