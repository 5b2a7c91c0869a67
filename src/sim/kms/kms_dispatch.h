/* SPDX-License-Identifier: Apache-2.0 */
/* From an HTTP request to its answer. */
#ifndef SIM_KMS_KMS_DISPATCH_H
#define SIM_KMS_KMS_DISPATCH_H

#include "sim/kms/kms_request.h"
#include "sim/kms/kms_service.h"

enum kms_delivery {
    KMS_DELIVER_WHOLE,
    KMS_DELIVER_HALF,  /* half of the body, then the connection ends */
    KMS_DELIVER_NEVER, /* nothing, until the client gives up */
    KMS_DELIVER_RESET, /* nothing: the connection is reset */
};

struct kms_answer {
    unsigned status;
    const char *content_type;
    struct buffer body; /* secret */
    enum kms_delivery delivery;
};

/* Spoils an answer as the fault has it: its body, or how it is delivered. */
void kms_deliver_fault(enum kms_fault fault, struct kms_answer *answer);

/* Serves request. answer must be zeroed; the caller clears its body. */
void kms_handle(struct kms_service *service, const struct kms_request *request,
                struct kms_answer *answer);

#endif
