/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations, each as the KMS API reference describes it. On success call->out holds the
 * members of the answer.
 */
#ifndef SIM_KMS_KMS_OPERATIONS_H
#define SIM_KMS_KMS_OPERATIONS_H

#include "sim/kms/kms_call.h"

/* kms_operations_keys.c */
bool kms_create_key(struct kms_call *call);
bool kms_describe_key(struct kms_call *call);
bool kms_create_alias(struct kms_call *call);
bool kms_get_key_policy(struct kms_call *call);
bool kms_put_key_policy(struct kms_call *call);
bool kms_enable_key(struct kms_call *call);
bool kms_disable_key(struct kms_call *call);

/* kms_operations_data.c */
bool kms_encrypt(struct kms_call *call);
bool kms_decrypt(struct kms_call *call);
bool kms_generate_data_key(struct kms_call *call);
bool kms_generate_data_key_without_plaintext(struct kms_call *call);
bool kms_generate_random(struct kms_call *call);

/* kms_operations_sign.c */
bool kms_get_public_key(struct kms_call *call);
bool kms_sign(struct kms_call *call);

#endif
