/* SPDX-License-Identifier: Apache-2.0 */
/* What the policy of a key allows. */
#ifndef SIM_KMS_KMS_AUTHORIZE_H
#define SIM_KMS_KMS_AUTHORIZE_H

#include "sim/kms/kms_call.h"

/* Whether the policy of call->key allows the operation. A denial is logged by condition. */
MUST_USE bool kms_authorize(struct kms_call *call);
/* Whether the caller could replace the policy again once it was in force. */
MUST_USE bool kms_policy_keeps_caller(struct kms_call *call, struct bytes policy, bool *keeps);

#endif
