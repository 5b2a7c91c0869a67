/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One operation under way: who asks, what was asked, what is answered, and how it failed.
 *
 * Functions here that answer false have filled call->failure with what KMS would say.
 */
#ifndef SIM_KMS_KMS_CALL_H
#define SIM_KMS_KMS_CALL_H

#include "codec/json.h"
#include "codec/json_writer.h"
#include "formats/attestation.h"
#include "sim/kms/kms_service.h"
#include "sim/kms_store/kms_context.h"

/* Who signed the request. */
struct kms_caller {
    char arn[KMS_ARN_SIZE];
    char account[13];
};

/* What is answered instead: an exception of the KMS API and its message (may be empty). */
struct kms_failure {
    const char *type;
    char message[1024];
};

struct kms_call {
    struct kms_service *service;
    const struct kms_request *request;
    const char *operation; /* Decrypt, … */
    struct kms_caller caller;
    struct json in;
    json_value scope;       /* the object whose members kms_input_… read: 0, the body */
    struct json_writer out; /* members of the answer */
    struct kms_failure failure;
    enum kms_fault fault;

    struct kms_key key;         /* the key in question, once found */
    char alias[KMS_ALIAS_SIZE]; /* alias/NAME if KeyId was given so */
    struct kms_context context;

    struct buffer document; /* Recipient.AttestationDocument, which attestation views */
    struct attestation attestation;
    bool attested; /* the request has a Recipient, and its document was verified */
};

/* `return kms_fail(call, "ValidationException", "…");` */
bool kms_fail(struct kms_failure *failure, const char *type, const char *format, ...)
    PRINTF_LIKE(3, 4);
bool kms_fail_internal(struct kms_call *call, const char *cause);

/*
 * Members of the request body, checked for type and size. Absent and null are the same: the
 * function then answers true and sets nothing, unless required. kms_input.c.
 */
enum kms_presence { KMS_OPTIONAL, KMS_REQUIRED };
bool kms_input_given(const struct kms_call *call, const char *name);
MUST_USE bool kms_input_text(struct kms_call *call, const char *name, enum kms_presence presence,
                             size_t min, size_t max, struct buffer *out);
MUST_USE bool kms_input_blob(struct kms_call *call, const char *name, enum kms_presence presence,
                             size_t max, struct buffer *out);
MUST_USE bool kms_input_integer(struct kms_call *call, const char *name, int64_t min, int64_t max,
                                int64_t *out);
MUST_USE bool kms_input_boolean(struct kms_call *call, const char *name, bool *out);
/* A text that must be one of only, the values that are simulated; absent is fine. */
MUST_USE bool kms_input_only(struct kms_call *call, const char *name, const char *only);
/* EncryptionContext into call->context. */
MUST_USE bool kms_input_context(struct kms_call *call);
/* GrantTokens, DryRun and the like are refused rather than ignored. */
MUST_USE bool kms_input_unsupported(struct kms_call *call, const char *const *names);

/* Finds the key that member KeyId (or TargetKeyId) names, in any of its four forms. */
MUST_USE bool kms_find_named_key(struct kms_call *call, const char *member);
MUST_USE bool kms_find_key(struct kms_call *call, const char *id);
/* DisabledException unless the key is enabled. */
MUST_USE bool kms_require_enabled(struct kms_call *call);

/* Reads and verifies Recipient, if there is one. kms_recipient.c. */
MUST_USE bool kms_take_recipient(struct kms_call *call);
/* Answers plaintext: as Plaintext or, with a Recipient, as CiphertextForRecipient. */
MUST_USE bool kms_answer_plaintext(struct kms_call *call, struct bytes plaintext);

/* Whether the key's policy lets the caller do this; a denial is logged in detail. kms_authorize.c
 */
MUST_USE bool kms_authorize(struct kms_call *call);
/* Whether a new policy would let the caller change it again, logged as little as a success. */
MUST_USE bool kms_policy_keeps_caller(struct kms_call *call, struct bytes policy, bool *keeps);

#endif
