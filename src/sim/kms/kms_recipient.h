/* SPDX-License-Identifier: Apache-2.0 */
/* Recipient: a request's attestation document, and the envelope of its answer. */
#ifndef SIM_KMS_KMS_RECIPIENT_H
#define SIM_KMS_KMS_RECIPIENT_H

#include "sim/kms/kms_call.h"

/* Reads and verifies Recipient, if the request has one. */
MUST_USE bool kms_take_recipient(struct kms_call *call);
/* Answers plaintext: as Plaintext or, with a Recipient, as CiphertextForRecipient. */
MUST_USE bool kms_answer_plaintext(struct kms_call *call, struct bytes plaintext);

#endif
