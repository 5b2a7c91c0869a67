/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Operations on keys, aliases and policies. The comment above each function is the shape of its
 * request.
 */
#include <stdio.h>

#include "formats/policy.h"
#include "sim/kms/kms_authorize.h"
#include "sim/kms/kms_find.h"
#include "sim/kms/kms_input.h"
#include "sim/kms/kms_kind.h"
#include "sim/kms/kms_operations.h"

#define DESCRIPTION_MAX 8192   /* KMS API, CreateKey */
#define POLICY_IN_MAX   131072 /* KMS API: longest Policy accepted as a parameter */

/* The policy that KMS gives to a key that is created without one: IAM decides. */
static void default_policy(struct buffer *out, const char *account)
{
    struct json_writer w = json_writer(out);
    char root[64];
    snprintf(root, sizeof root, "arn:aws:iam::%.12s:root", account);
    json_object(&w, NULL);
    json_text(&w, "Version", "2012-10-17");
    json_text(&w, "Id", "key-default-1");
    json_array(&w, "Statement");
    json_object(&w, NULL);
    json_text(&w, "Sid", "Enable IAM User Permissions");
    json_text(&w, "Effect", "Allow");
    json_object(&w, "Principal");
    json_text(&w, "AWS", root);
    json_end(&w);
    json_text(&w, "Action", "kms:*");
    json_text(&w, "Resource", "*");
    json_end(&w);
    json_end(&w);
    json_end(&w);
}

static void put_time(struct json_writer *w, const char *name, int64_t wall_us)
{
    char text[40];
    snprintf(text, sizeof text, "%lld.%03lld", (long long)(wall_us / 1000000),
             (long long)(wall_us / 1000 % 1000));
    json_verbatim(w, name, bytes_text(text));
}

static void put_metadata(struct kms_call *call)
{
    struct json_writer *w = &call->out;
    const struct kms_kind *kind = kms_kind(call->key.spec);
    json_object(w, "KeyMetadata");
    json_text(w, "AWSAccountId", call->service->account);
    json_text(w, "Arn", call->key.arn);
    put_time(w, "CreationDate", call->key.created_us);
    json_text(w, "CustomerMasterKeySpec", kind->spec);
    json_text_bytes(w, "Description", buffer_bytes(&call->key.description));
    json_boolean(w, "Enabled", call->key.enabled);
    json_array(w, kind->algorithms);
    json_text(w, NULL, kind->algorithm);
    json_end(w);
    json_text(w, "KeyId", call->key.id);
    json_text(w, "KeyManager", "CUSTOMER");
    json_text(w, "KeySpec", kind->spec);
    json_text(w, "KeyState", call->key.enabled ? "Enabled" : "Disabled");
    json_text(w, "KeyUsage", kind->usage);
    json_boolean(w, "MultiRegion", false);
    json_text(w, "Origin", "AWS_KMS");
    json_end(w);
}

/* Policy: well-formed, not too long, and not locking the caller out. */
static bool take_policy(struct kms_call *call, enum kms_presence presence, struct buffer *policy)
{
    bool bypass = false;
    bool keeps = false;
    if (!kms_input_text(call, "Policy", presence, 1, POLICY_IN_MAX, policy) ||
        !kms_input_boolean(call, "BypassPolicyLockoutSafetyCheck", &bypass))
        return false;
    if (policy->len == 0)
        default_policy(policy, call->service->account);
    if (policy->failed)
        return kms_fail_internal(call, "no memory for a policy");
    if (policy->len > POLICY_TEXT_MAX)
        return kms_fail(&call->failure, "LimitExceededException",
                        "A key policy has at most %d bytes", POLICY_TEXT_MAX);
    if (!kms_policy_keeps_caller(call, buffer_bytes(policy), &keeps))
        return false;
    if (!keeps && !bypass)
        return kms_fail(&call->failure, "MalformedPolicyDocumentException",
                        "The new key policy will not allow you to update the key policy in the "
                        "future.");
    return true;
}

static bool make_key(struct kms_call *call)
{
    struct kms_key *key = &call->key;
    if (!kms_id_new(key->id))
        return kms_fail_internal(call, "no random bytes");
    if (!kms_make_backing(call))
        return false;
    snprintf(key->arn, sizeof key->arn, "arn:aws:kms:%.32s:%.12s:key/%.36s", call->service->region,
             call->service->account, key->id);
    key->created_us = kms_now_us(call->service);
    key->enabled = true;
    return true;
}

/* Only keys of a simulated kind can be created. */
static bool take_kind(struct kms_call *call)
{
    static const char *const refused[] = {"CustomKeyStoreId", "MultiRegion", "Tags", "XksKeyId",
                                          NULL};
    return kms_input_unsupported(call, refused) && kms_input_only(call, "Origin", "AWS_KMS") &&
           kms_take_kind(call, &call->key.spec);
}

/* {Policy?, Description?, KeyUsage?, KeySpec?, Origin?, BypassPolicyLockoutSafetyCheck?} */
bool kms_create_key(struct kms_call *call)
{
    BUFFER_AUTO policy;
    buffer_init(&policy, POLICY_IN_MAX);
    if (!take_kind(call) ||
        !kms_input_text(call, "Description", KMS_OPTIONAL, 0, DESCRIPTION_MAX,
                        &call->key.description) ||
        !make_key(call) || !take_policy(call, KMS_OPTIONAL, &policy))
        return false;
    buffer_append(&call->key.policy, buffer_bytes(&policy));
    if (call->key.policy.failed || kms_store_key_add(call->service->store, &call->key) != STORE_OK)
        return kms_fail_internal(call, "the key cannot be stored");
    put_metadata(call);
    return true;
}

/* {KeyId} */
bool kms_describe_key(struct kms_call *call)
{
    static const char *const refused[] = {"GrantTokens", NULL};
    if (!kms_input_unsupported(call, refused) || !kms_find_named_key(call, "KeyId") ||
        !kms_authorize(call))
        return false;
    put_metadata(call);
    return true;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    size_t len = strlen(prefix);
    return text.len >= len && memcmp(text.at, prefix, len) == 0;
}

/* alias/ and at least one of the characters that a name may have. */
static bool is_alias_name(struct bytes name)
{
    static const char prefix[] = "alias/";
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                  "0123456789/_-";
    if (!starts_with(name, prefix) || name.len == sizeof prefix - 1)
        return false;
    for (size_t i = sizeof prefix - 1; i < name.len; i++)
        if (memchr(allowed, name.at[i], sizeof allowed - 1) == NULL)
            return false;
    return true;
}

static bool take_alias_name(struct kms_call *call, struct buffer *name)
{
    if (!kms_input_text(call, "AliasName", KMS_REQUIRED, 1, KMS_ALIAS_SIZE - 1, name))
        return false;
    if (!is_alias_name(buffer_bytes(name)))
        return kms_fail(&call->failure, "ValidationException",
                        "Alias must start with the prefix \"alias/\" and go on with letters, "
                        "digits, and \"/\", \"_\" or \"-\"");
    if (starts_with(buffer_bytes(name), "alias/aws/"))
        return kms_fail(&call->failure, "NotAuthorizedException",
                        "Aliases that begin with alias/aws/ are reserved");
    return true;
}

/* {AliasName, TargetKeyId} */
bool kms_create_alias(struct kms_call *call)
{
    BUFFER_AUTO name;
    buffer_init(&name, KMS_ALIAS_SIZE);
    if (!take_alias_name(call, &name) || !kms_find_named_key(call, "TargetKeyId") ||
        !kms_authorize(call))
        return false;
    buffer_byte(&name, '\0');
    const char *text = (const char *)name.at;
    switch (kms_store_alias_add(call->service->store, text, call->key.id)) {
    case STORE_OK:
        return true;
    case STORE_EXISTS:
        return kms_fail(&call->failure, "AlreadyExistsException",
                        "An alias with the name arn:aws:kms:%.32s:%.12s:%.256s already exists",
                        call->service->region, call->service->account, text);
    case STORE_ABSENT:
    case STORE_FAILED:
        break;
    }
    return kms_fail_internal(call, "the alias cannot be stored");
}

/* A key has one policy, named default. */
static bool check_policy_name(struct kms_call *call)
{
    BUFFER_AUTO name;
    buffer_init(&name, 129);
    if (!kms_input_text(call, "PolicyName", KMS_OPTIONAL, 1, 128, &name))
        return false;
    if (name.len == 0 || bytes_equal_text(buffer_bytes(&name), "default"))
        return true;
    return kms_fail(&call->failure, "NotFoundException", "No such policy exists");
}

/* {KeyId, PolicyName?} */
bool kms_get_key_policy(struct kms_call *call)
{
    if (!kms_find_named_key(call, "KeyId") || !kms_authorize(call) || !check_policy_name(call))
        return false;
    json_text_bytes(&call->out, "Policy", buffer_bytes(&call->key.policy));
    json_text(&call->out, "PolicyName", "default");
    return true;
}

/* {KeyId, PolicyName?, Policy, BypassPolicyLockoutSafetyCheck?} */
bool kms_put_key_policy(struct kms_call *call)
{
    BUFFER_AUTO policy;
    buffer_init(&policy, POLICY_IN_MAX);
    if (!kms_find_named_key(call, "KeyId") || !kms_authorize(call) || !check_policy_name(call) ||
        !take_policy(call, KMS_REQUIRED, &policy))
        return false;
    if (kms_store_key_set_policy(call->service->store, call->key.id, buffer_bytes(&policy)) !=
        STORE_OK)
        return kms_fail_internal(call, "the policy cannot be stored");
    return true;
}

static bool set_enabled(struct kms_call *call, bool enabled)
{
    if (!kms_find_named_key(call, "KeyId") || !kms_authorize(call))
        return false;
    if (kms_store_key_set_enabled(call->service->store, call->key.id, enabled) != STORE_OK)
        return kms_fail_internal(call, "the key's state cannot be stored");
    return true;
}

/* {KeyId} */
bool kms_enable_key(struct kms_call *call)
{
    return set_enabled(call, true);
}

/* {KeyId} */
bool kms_disable_key(struct kms_call *call)
{
    return set_enabled(call, false);
}
