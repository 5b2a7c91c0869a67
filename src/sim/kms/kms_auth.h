/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed a request: Signature Version 4, checked as AWS does. */
#ifndef SIM_KMS_KMS_AUTH_H
#define SIM_KMS_KMS_AUTH_H

#include "sim/kms/kms_call.h"

/*
 * Checks the signature over exactly the headers that SignedHeaders names, the credentials and the
 * date. False and *failure, if the request is not to be believed; caller then holds nothing.
 */
MUST_USE bool kms_authenticate(struct kms_service *service, const struct kms_request *request,
                               struct kms_caller *caller, struct kms_failure *failure);

#endif
