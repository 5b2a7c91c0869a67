/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request that is put to a key policy: who wants to do what, from an enclave with which
 * registers. Shared by `doctor` and `policy check`.
 */
#ifndef HOST_KEYPOLICY_POLICY_QUESTION_H
#define HOST_KEYPOLICY_POLICY_QUESTION_H

#include "formats/policy_attributes.h"
#include "host/keypolicy/registers.h"

#define POLICY_PRINCIPAL_MAX 2048
/* The key of an account that does not exist, for when the ARN does not matter. */
#define POLICY_ANY_KEY "arn:aws:kms:us-east-1:000000000000:key/any"

struct policy_question {
    struct buffer principal; /* an ARN */
    const char *action;      /* kms:Decrypt */
    const char *key_arn;     /* or POLICY_ANY_KEY */
    struct policy_attributes attributes;
};

void policy_question_init(struct policy_question *q);
void policy_question_clear(struct policy_question *q);

/*
 * Sets the principal: the given one, else the first of a statement with a condition on a register,
 * else the first of a statement with any condition, else an arbitrary one. Adds the values that
 * conditions compare: the caller, the registers, and the encryption context (pairs that passed
 * context_check). ERROR_MEMORY, ERROR_USAGE.
 */
MUST_USE bool policy_question_set(struct policy_question *q, const struct json *policy,
                                  const char *principal, const struct registers *registers,
                                  const char *const *context, size_t context_count,
                                  struct error *err);

/* What --principal and --key may be; ERROR_USAGE. */
MUST_USE bool policy_principal_check(const char *option, const char *text, struct error *err);
MUST_USE bool policy_key_check(const char *option, const char *text, struct error *err);

/* The question in the form of policy_evaluate: views into q. */
struct policy_request policy_question_request(const struct policy_question *q);

/* Whether a finding begins a statement; findings come for one element after the other. */
bool policy_finding_begins(const struct policy_finding *finding);

/* Follows the findings. Starts zeroed, and is given each finding in order. */
struct policy_cursor {
    bool aside; /* the statement is about a different action, principal or key */
};
void policy_cursor_next(struct policy_cursor *cursor, const struct policy_finding *finding);

#endif
