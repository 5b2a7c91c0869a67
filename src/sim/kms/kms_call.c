/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/kms_call.h"

#include "base/log.h"

bool kms_fail_internal(struct kms_call *call, const char *cause)
{
    log_error("request %s: %s", call->request->id, cause);
    return kms_fail_type(&call->failure, "KMSInternalException");
}

void kms_answer_key_id(struct kms_call *call)
{
    if (call->fault == KMS_FAULT_NO_KEY)
        return;
    if (call->fault != KMS_FAULT_OTHER_KEY) {
        json_text(&call->out, "KeyId", call->key.arn);
        return;
    }
    char other[KMS_ARN_SIZE];
    memcpy(other, call->key.arn, sizeof other);
    char *last = other + strlen(other) - 1;
    *last = *last == '0' ? '1' : '0';
    json_text(&call->out, "KeyId", other);
}
