/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation under way: who calls, what is asked, what is answered, and how it fails.
 *
 * A function that takes a call and returns false has filled call->failure with what KMS would say.
 */
#ifndef SIM_KMS_KMS_CALL_H
#define SIM_KMS_KMS_CALL_H

#include "codec/json.h"
#include "codec/json_writer.h"
#include "formats/attestation.h"
#include "sim/kms/kms_request.h"
#include "sim/kms/kms_service.h"
#include "sim/kms_store/kms_context.h"

/* Who signed the request. */
struct kms_caller {
    char arn[KMS_ARN_SIZE];
    char account[KMS_ACCOUNT_SIZE];
};

struct kms_call {
    struct kms_service *service;
    const struct kms_request *request;
    const char *operation; /* Decrypt, … */
    struct kms_caller caller;
    struct json in;
    json_value scope;       /* the object whose members kms_input_… reads; 0: the body */
    struct json_writer out; /* members of the answer */
    struct kms_failure failure;
    enum kms_fault fault;

    struct kms_key key;         /* the key that the request names, once it is found */
    char alias[KMS_ALIAS_SIZE]; /* alias/NAME if KeyId is an alias */
    struct kms_context context;
    const char *signing_algorithm; /* of Sign, NULL before; condition keys, like its MessageType */
    const char *message_type;

    struct buffer document; /* Recipient.AttestationDocument; attestation views into it */
    struct attestation attestation;
    bool attested; /* the request has a Recipient, and its document was verified */
};

/* KMSInternalException; the cause goes to the log only. */
bool kms_fail_internal(struct kms_call *call, const char *cause);

/* Answers KeyId: the ARN of the key used, or another one or none if a fault asks for that. */
void kms_answer_key_id(struct kms_call *call);

#endif
