/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a key policy is asked: who wants to do what, from an enclave with which registers. Shared by
 * `doctor` and `policy check`.
 */
#ifndef HOST_KEYPOLICY_POLICY_QUESTION_H
#define HOST_KEYPOLICY_POLICY_QUESTION_H

#include "formats/policy_attributes.h"
#include "host/keypolicy/registers.h"

#define POLICY_PRINCIPAL_MAX 2048
/* A key of no account, for when the ARN does not matter. */
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
 * Settles who asks: principal if given, else the first in a statement of the policy with a
 * condition on a register, else with any condition, else nobody in particular. Adds what conditions
 * may look at: the caller, the registers, and pairs NAME=VALUE of encryption context (each has its
 * '='). ERROR_MEMORY.
 */
MUST_USE bool policy_question_set(struct policy_question *q, const struct json *policy,
                                  const char *principal, const struct registers *registers,
                                  const char *const *context, size_t context_count,
                                  struct error *err);

/* The question as policy_evaluate takes it; views into q. */
struct policy_request policy_question_request(const struct policy_question *q);

/* Findings come element by element; whether this one begins a statement. */
bool policy_finding_begins(const struct policy_finding *finding);

/* Starts zeroed, and is told of each finding in turn. */
struct policy_cursor {
    bool aside; /* the statement is about another action, another principal or another key */
};
void policy_cursor_next(struct policy_cursor *cursor, const struct policy_finding *finding);

#endif
