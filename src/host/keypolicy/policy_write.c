/* SPDX-License-Identifier: Apache-2.0 */
#include "host/keypolicy/policy_write.h"

#include <stdio.h>

#include "base/hex.h"
#include "formats/json_print.h"
#include "formats/text.h"

/*
 * Neither kms:* nor kms:Create*: IAM policies of the account can pass on what its root may do, and
 * CreateGrant would pass on Decrypt without any of the conditions. PutKeyPolicy is included,
 * because without it the policy could never be changed again.
 */
static const char *const administration[] = {
    "kms:CancelKeyDeletion",
    "kms:CreateAlias",
    "kms:DeleteAlias",
    "kms:Describe*",
    "kms:Disable*",
    "kms:Enable*",
    "kms:Get*",
    "kms:List*",
    "kms:PutKeyPolicy",
    "kms:RetireGrant",
    "kms:RevokeGrant",
    "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion",
    "kms:TagResource",
    "kms:UntagResource",
    "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
};

static void open_statement(struct json_writer *w, const char *sid, const char *principal)
{
    json_object(w, NULL);
    json_text(w, "Sid", sid);
    json_text(w, "Effect", "Allow");
    json_object(w, "Principal");
    json_text(w, "AWS", principal);
    json_end(w);
}

static void put_administration(const struct policy_plan *plan, struct json_writer *w)
{
    char root[128];
    snprintf(root, sizeof root, "arn:%s:iam::%s:root", plan->partition, plan->account);
    open_statement(w, "Administration", root);
    json_array(w, "Action");
    for (size_t i = 0; i < ARRAY_LEN(administration); i++)
        json_text(w, NULL, administration[i]);
    json_end(w);
    json_text(w, "Resource", "*");
    json_end(w);
}

static void put_context(const struct policy_plan *plan, struct json_writer *w)
{
    if (plan->context_count == 0)
        return;
    json_object(w, "StringEquals");
    for (size_t i = 0; i < plan->context_count; i++) {
        struct text_pair pair;
        if (!text_pair(&pair, plan->context[i]))
            continue;
        BUFFER_AUTO name;
        buffer_init(&name, POLICY_TEXT_MAX);
        buffer_text(&name, POLICY_CONTEXT_PREFIX);
        buffer_append(&name, pair.name);
        json_text_named(w, buffer_bytes(&name), pair.value);
        w->out->failed = w->out->failed || name.failed;
    }
    json_end(w);
}

static void put_provisioning(const struct policy_plan *plan, struct json_writer *w)
{
    open_statement(w, "Provisioning", plan->provisioner_arn);
    json_array(w, "Action");
    for (size_t i = 0; plan->provisions[i] != NULL; i++)
        json_text(w, NULL, plan->provisions[i]);
    json_end(w);
    json_text(w, "Resource", "*");
    if (plan->context_count > 0) {
        json_object(w, "Condition");
        put_context(plan, w);
        json_end(w);
    }
    json_end(w);
}

/* The condition on one register: a value, or any of a list. */
static void put_condition(struct json_writer *w, unsigned index, const uint8_t *const *values,
                          size_t count)
{
    char name[64], digits[2 * PCR_SIZE];
    snprintf(name, sizeof name, POLICY_REGISTER_PREFIX "PCR%u", index);
    const char *key = index == 0 ? POLICY_IMAGE_KEY : name;
    if (count > 1)
        json_array(w, key);
    for (size_t i = 0; i < count; i++) {
        hex_encode(digits, bytes_of(values[i], PCR_SIZE));
        json_text_bytes(w, count > 1 ? NULL : key, bytes_of(digits, sizeof digits));
    }
    if (count > 1)
        json_end(w);
}

/* The values that a register may have: of the images, of the instance's role, of the instances. */
static size_t wanted(const struct policy_plan *plan, unsigned index,
                     const struct policy_image *images, size_t count, const uint8_t **values)
{
    size_t n = 0;
    if (index == 0 || (plan->selected >> index & 1) != 0)
        for (; n < count; n++)
            values[n] = images[n].registers.value[index];
    else if (index == 3 && plan->pcr3 != NULL)
        values[n++] = plan->pcr3;
    else if (index == 4)
        for (; n < plan->pcr4_count; n++)
            values[n] = plan->pcr4[n];
    return n;
}

/* Decrypt for count images. More than one only if nothing but their PCR0 counts. */
static void put_decrypt(const struct policy_plan *plan, struct json_writer *w, const char *sid,
                        const struct policy_image *images, size_t count)
{
    const uint8_t *values[POLICY_VALUES_MAX];
    open_statement(w, sid, plan->role_arn);
    json_text(w, "Action", "kms:Decrypt");
    json_text(w, "Resource", "*");
    json_object(w, "Condition");
    json_object(w, "StringEqualsIgnoreCase");
    for (unsigned i = 0; i < PCR_COUNT; i++)
        put_condition(w, i, values, wanted(plan, i, images, count, values));
    json_end(w);
    put_context(plan, w);
    json_end(w);
    json_end(w);
}

void policy_write(const struct policy_plan *plan, struct buffer *out)
{
    bool each = plan->image_count > 1 && plan->selected != 0;
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "Version", "2012-10-17");
    json_array(&w, "Statement");
    put_administration(plan, &w);
    if (plan->provisioner_arn != NULL)
        put_provisioning(plan, &w);
    if (plan->image_count > 0 && !each)
        put_decrypt(plan, &w, "AttestedDecrypt", plan->images, plan->image_count);
    for (size_t i = 0; each && i < plan->image_count; i++) {
        char sid[40];
        snprintf(sid, sizeof sid, "AttestedDecrypt%zu", i + 1);
        put_decrypt(plan, &w, sid, &plan->images[i], 1);
    }
    json_end(&w);
    json_end(&w);
}
