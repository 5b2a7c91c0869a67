/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/kms_call.h"

#include "base/log.h"

bool kms_fail_internal(struct kms_call *call, const char *cause)
{
    log_error("request %s: %s", call->request->id, cause);
    return kms_fail_type(&call->failure, "KMSInternalException");
}
