/* SPDX-License-Identifier: Apache-2.0 */
/* From an HTTP request to STS to its answer. */
#ifndef SIM_KMS_STS_DISPATCH_H
#define SIM_KMS_STS_DISPATCH_H

#include "sim/kms/kms_dispatch.h"

/* Whether a request is for STS: a form, where one for KMS is JSON and names its target. */
bool sts_is_request(const struct kms_request *request);

/* Serves request, as kms_handle does. */
void sts_handle(struct kms_service *service, const struct kms_request *request,
                struct kms_answer *answer);

#endif
