/* SPDX-License-Identifier: Apache-2.0 */
/* Who signed a request: Signature Version 4, checked as AWS checks it. */
#ifndef SIM_KMS_KMS_AUTH_H
#define SIM_KMS_KMS_AUTH_H

#include "sim/kms/kms_call.h"

/*
 * Checks the signature over exactly the headers that SignedHeaders names, the credentials and the
 * date. name: the service that must be in the scope, "kms" or "sts". False, with *failure, if any
 * of them is wrong; *caller is then not set.
 */
MUST_USE bool kms_authenticate(struct kms_service *service, const char *name,
                               const struct kms_request *request, struct kms_caller *caller,
                               struct kms_failure *failure);

#endif
