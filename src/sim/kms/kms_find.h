/* SPDX-License-Identifier: Apache-2.0 */
/* Finding the key that a request names, into call->key. */
#ifndef SIM_KMS_KMS_FIND_H
#define SIM_KMS_KMS_FIND_H

#include "sim/kms/kms_call.h"

/* The key that the text member names (KeyId, TargetKeyId), in any of the four forms. */
MUST_USE bool kms_find_named_key(struct kms_call *call, const char *member);
MUST_USE bool kms_find_key(struct kms_call *call, const char *id);
/* DisabledException unless the key is enabled. */
MUST_USE bool kms_require_enabled(struct kms_call *call);

#endif
