/* SPDX-License-Identifier: Apache-2.0 */
#include "host/keypolicy/policy_question.h"

#include "formats/arn.h"
#include "formats/text.h"

#define NOBODY "arn:aws:iam::000000000000:root"

void policy_question_init(struct policy_question *q)
{
    *q = (struct policy_question){.action = "kms:Decrypt", .key_arn = POLICY_ANY_KEY};
    buffer_init(&q->principal, POLICY_PRINCIPAL_MAX);
    policy_attributes_init(&q->attributes);
}

void policy_question_clear(struct policy_question *q)
{
    buffer_clear(&q->principal);
    policy_attributes_clear(&q->attributes);
}

/* Takes the first principal of a statement, unless it is "*". */
static bool take_principal(const struct json *doc, json_value statement, struct buffer *out)
{
    json_value principal = json_member(doc, statement, "Principal");
    json_value aws = principal == JSON_NONE ? JSON_NONE : json_member(doc, principal, "AWS");
    if (aws != JSON_NONE && json_type(doc, aws) == JSON_ARRAY)
        aws = json_first(doc, aws);
    if (aws != JSON_NONE && json_type(doc, aws) == JSON_STRING && json_string(doc, aws, out) &&
        out->len > 12)
        return true;
    buffer_reset(out);
    return false;
}

/* The first principal of a statement with a condition: on a register (attested), or on anything. */
static bool find_principal(const struct json *doc, bool attested, struct buffer *out)
{
    json_value list = json_member(doc, 0, "Statement");
    bool single = list != JSON_NONE && json_type(doc, list) == JSON_OBJECT;
    json_value s = list == JSON_NONE ? JSON_NONE : single ? list : json_first(doc, list);
    for (; s != JSON_NONE; s = single ? JSON_NONE : json_next(doc, list, s)) {
        json_value condition = json_member(doc, s, "Condition");
        if (condition == JSON_NONE)
            continue;
        struct bytes raw = json_raw(doc, condition);
        bool has = memmem(raw.at, raw.len, POLICY_REGISTER_PREFIX,
                          sizeof POLICY_REGISTER_PREFIX - 1) != NULL;
        if ((has || !attested) && take_principal(doc, s, out))
            return true;
    }
    return false;
}

static struct bytes account_of(struct bytes principal)
{
    struct arn arn;
    return arn_parse(&arn, principal) ? arn.account : bytes_text("000000000000");
}

bool policy_question_set(struct policy_question *q, const struct json *policy,
                         const char *principal, const struct registers *registers,
                         const char *const *context, size_t context_count, struct error *err)
{
    struct policy_attributes *a = &q->attributes;
    const struct bytes none = bytes_of(NULL, 0);
    if (principal != NULL)
        buffer_text(&q->principal, principal);
    else if (!find_principal(policy, true, &q->principal) &&
             !find_principal(policy, false, &q->principal))
        buffer_text(&q->principal, NOBODY);
    if (q->principal.failed)
        return error_set(err, ERROR_USAGE, "the principal is longer than %d bytes",
                         POLICY_PRINCIPAL_MAX);
    struct bytes arn = buffer_bytes(&q->principal);
    policy_attributes_add(a, "kms:CallerAccount", none, account_of(arn));
    policy_attributes_add(a, "aws:PrincipalAccount", none, account_of(arn));
    policy_attributes_add(a, "aws:PrincipalArn", none, arn);
    registers_attributes(registers, a);
    struct text_pair pair;
    for (size_t i = 0; i < context_count; i++)
        if (text_pair(&pair, context[i]))
            policy_attributes_add(a, POLICY_CONTEXT_PREFIX, pair.name, pair.value);
    return policy_attributes_settle(a) ||
           error_set(err, ERROR_MEMORY, "no memory for condition keys");
}

bool policy_principal_check(const char *option, const char *text, struct error *err)
{
    if (strlen(text) > POLICY_PRINCIPAL_MAX)
        return error_set(err, ERROR_USAGE, "%s is longer than %d bytes", option,
                         POLICY_PRINCIPAL_MAX);
    return arn_is_principal(bytes_text(text)) ||
           error_set(err, ERROR_USAGE,
                     "%s %.200s is not the ARN of a principal, such as "
                     "arn:aws:iam::ACCOUNT:role/NAME",
                     option, text);
}

bool policy_key_check(const char *option, const char *text, struct error *err)
{
    return arn_is_key(bytes_text(text)) ||
           error_set(err, ERROR_USAGE,
                     "%s %.200s is not the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID", option,
                     text);
}

struct policy_request policy_question_request(const struct policy_question *q)
{
    struct bytes arn = buffer_bytes(&q->principal);
    return (struct policy_request){
        .principal_arn = arn,
        .account = account_of(arn),
        .action = bytes_text(q->action),
        .resource = bytes_text(q->key_arn),
        .attributes = q->attributes.items,
        .attribute_count = q->attributes.count,
    };
}

bool policy_finding_begins(const struct policy_finding *finding)
{
    return finding->key.len == 0 && bytes_equal_text(finding->condition, "Principal");
}

void policy_cursor_next(struct policy_cursor *cursor, const struct policy_finding *finding)
{
    if (policy_finding_begins(finding))
        cursor->aside = false;
    cursor->aside = cursor->aside || (finding->key.len == 0 && !finding->matched);
}
