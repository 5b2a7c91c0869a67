/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May this caller do this with this key? The key policy alone decides. The simulator has no IAM
 * policies: it assumes that IAM grants kms:* to every principal of the account, which takes effect
 * where a key policy delegates to the account (its root principal).
 *
 * A denial is logged condition by condition, with what the policy wants and what the request has.
 * KMS does not report that to its callers, and it is what they need to know.
 */
#include "sim/kms/kms_authorize.h"

#include <stdio.h>

#include "base/log.h"
#include "formats/policy_attributes.h"

/* What the policy's conditions are evaluated against. */
static void collect(struct policy_attributes *a, const struct kms_call *call)
{
    struct bytes none = bytes_of(NULL, 0);
    policy_attributes_add(a, "kms:CallerAccount", none, bytes_text(call->caller.account));
    policy_attributes_add(a, "aws:PrincipalAccount", none, bytes_text(call->caller.account));
    policy_attributes_add(a, "aws:PrincipalArn", none, bytes_text(call->caller.arn));
    if (call->alias[0] != '\0')
        policy_attributes_add(a, "kms:RequestAlias", none, bytes_text(call->alias));
    if (call->signing_algorithm != NULL) {
        policy_attributes_add(a, "kms:SigningAlgorithm", none, bytes_text(call->signing_algorithm));
        policy_attributes_add(a, "kms:MessageType", none, bytes_text(call->message_type));
    }
    if (call->attested)
        policy_attributes_add_document(a, &call->attestation);
    for (size_t i = 0; i < call->context.count; i++)
        policy_attributes_add(a, POLICY_CONTEXT_PREFIX, call->context.pairs[i].name,
                              call->context.pairs[i].value);
}

static void describe(struct buffer *line, const struct policy_finding *f)
{
    bool absent = f->actual.at == NULL;
    buffer_text(line, "statement ");
    buffer_append(line, f->statement);
    buffer_text(line, f->deny ? " (Deny): " : " (Allow): ");
    buffer_append(line, f->condition);
    buffer_text(line, f->key.len > 0 ? " " : "");
    buffer_append(line, f->key);
    buffer_text(line, " wanted ");
    buffer_append(line, f->wanted);
    buffer_text(line, ", actual ");
    buffer_append(line, absent ? bytes_text("absent") : f->actual);
    buffer_text(line, f->matched ? ": matches" : ": does not match");
}

/* For a denial: every condition that was evaluated. */
static void log_finding(void *context, const struct policy_finding *f)
{
    const struct kms_call *call = context;
    BUFFER_AUTO line;
    buffer_init(&line, POLICY_TEXT_MAX + 4096);
    describe(&line, f);
    log_warning("request %s: %.*s", call->request->id, (int)line.len, (const char *)line.at);
}

/* For an attested request that is allowed: the conditions that it met. */
static void log_condition_met(void *context, const struct policy_finding *f)
{
    const struct kms_call *call = context;
    if (f->key.len == 0 || !f->matched)
        return;
    BUFFER_AUTO line;
    buffer_init(&line, POLICY_TEXT_MAX + 4096);
    describe(&line, f);
    log_info("request %s: %.*s", call->request->id, (int)line.len, (const char *)line.at);
}

static bool refuse(struct kms_call *call, enum policy_effect effect)
{
    if (effect == POLICY_DENIED_EXPLICITLY)
        return kms_fail(&call->failure, "AccessDeniedException",
                        "User: %s is not authorized to perform: kms:%s on resource: %s with an "
                        "explicit deny in a resource-based policy",
                        call->caller.arn, call->operation, call->key.arn);
    return kms_fail(&call->failure, "AccessDeniedException",
                    "User: %s is not authorized to perform: kms:%s on resource: %s because no "
                    "resource-based policy allows the kms:%s action",
                    call->caller.arn, call->operation, call->key.arn, call->operation);
}

static bool decide(struct kms_call *call, const struct policy *policy,
                   const struct policy_attributes *a)
{
    char action[80];
    snprintf(action, sizeof action, "kms:%s", call->operation);
    struct policy_request request = {
        .principal_arn = bytes_text(call->caller.arn),
        .account = bytes_text(call->caller.account),
        .action = bytes_text(action),
        .resource = bytes_text(call->key.arn),
        .attributes = a->items,
        .attribute_count = a->count,
    };
    enum policy_effect effect = policy_evaluate(policy, &request, NULL, NULL);
    if (effect != POLICY_ALLOWED) {
        policy_evaluate(policy, &request, log_finding, call);
        return refuse(call, effect);
    }
    if (call->attested)
        policy_evaluate(policy, &request, log_condition_met, call);
    return true;
}

bool kms_authorize(struct kms_call *call)
{
    struct error err = {.code = ERROR_NONE};
    struct policy *policy = policy_new(buffer_bytes(&call->key.policy), &err);
    if (policy == NULL)
        return kms_fail_internal(call, err.cause);
    struct policy_attributes a;
    policy_attributes_init(&a);
    collect(&a, call);
    bool ok = policy_attributes_settle(&a)
                  ? decide(call, policy, &a)
                  : kms_fail_internal(call, "no memory for condition keys");
    policy_attributes_clear(&a);
    policy_free(policy);
    return ok;
}

bool kms_policy_keeps_caller(struct kms_call *call, struct bytes text, bool *keeps)
{
    struct error err = {.code = ERROR_NONE};
    struct policy *policy = policy_new(text, &err);
    if (policy == NULL) {
        log_warning("request %s: policy refused: %s", call->request->id, err.cause);
        return kms_fail(&call->failure, "MalformedPolicyDocumentException", "%s", err.cause);
    }
    struct policy_request request = {
        .principal_arn = bytes_text(call->caller.arn),
        .account = bytes_text(call->caller.account),
        .action = bytes_text("kms:PutKeyPolicy"),
        .resource = bytes_text(call->key.arn),
    };
    *keeps = policy_evaluate(policy, &request, NULL, NULL) == POLICY_ALLOWED;
    policy_free(policy);
    return true;
}
