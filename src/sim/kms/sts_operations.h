/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The operations of STS, each as its API reference describes it. On success call->out holds the
 * members of the result, as XML. On failure call->failure is what STS would say.
 */
#ifndef SIM_KMS_STS_OPERATIONS_H
#define SIM_KMS_STS_OPERATIONS_H

#include "sim/kms/kms_call.h"
#include "sim/kms/sts_form.h"

struct sts_call {
    struct kms_service *service;
    const struct kms_request *request;
    const char *action;
    struct kms_caller caller; /* empty if the operation takes no signature */
    struct sts_form form;
    struct kms_failure failure;
    enum kms_fault fault;
    struct buffer *out;
};

bool sts_serve_assume_role(struct sts_call *call);
bool sts_serve_web_identity(struct sts_call *call);
bool sts_serve_identity(struct sts_call *call);

#endif
