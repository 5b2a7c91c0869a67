/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KeyId is an id, a key ARN, alias/NAME, or an alias ARN (KMS API, "Key identifiers").
 */
#include "sim/kms/kms_find.h"

#include <stdio.h>

#include "sim/kms/kms_input.h"

#define KEY_ID_MAX 2048 /* KMS API: length of KeyId */

#define NOT_FOUND(call, ...) kms_fail(&(call)->failure, "NotFoundException", __VA_ARGS__)

static bool find(struct kms_call *call, const char *id, const char *arn)
{
    switch (kms_store_key_find(call->service->store, id, &call->key)) {
    case STORE_OK:
        if (arn == NULL || strcmp(arn, call->key.arn) == 0)
            return true;
        kms_key_clear(&call->key);
        break;
    case STORE_FAILED:
    case STORE_EXISTS:
        return kms_fail_internal(call, "the database cannot be searched for a key");
    case STORE_ABSENT:
        break;
    }
    call->key.arn[0] = '\0';
    char wanted[KMS_ARN_SIZE];
    snprintf(wanted, sizeof wanted, "arn:aws:kms:%.32s:%.12s:key/%.64s", call->service->region,
             call->service->account, id);
    return NOT_FOUND(call, "Key '%.300s' does not exist", arn != NULL ? arn : wanted);
}

bool kms_find_key(struct kms_call *call, const char *id)
{
    return find(call, id, NULL);
}

static bool find_alias(struct kms_call *call, const char *name)
{
    char id[KMS_ID_SIZE];
    char arn[KMS_ALIAS_SIZE + 80];
    snprintf(arn, sizeof arn, "arn:aws:kms:%.32s:%.12s:%.256s", call->service->region,
             call->service->account, name);
    if (strlen(name) >= KMS_ALIAS_SIZE)
        return NOT_FOUND(call, "Alias %.300s is not found.", arn);
    switch (kms_store_alias_find(call->service->store, name, id)) {
    case STORE_OK:
        snprintf(call->alias, sizeof call->alias, "%s", name);
        return find(call, id, NULL);
    case STORE_ABSENT:
        return NOT_FOUND(call, "Alias %.300s is not found.", arn);
    case STORE_EXISTS:
    case STORE_FAILED:
        break;
    }
    return kms_fail_internal(call, "the database cannot be searched for an alias");
}

/* arn:PARTITION:kms:REGION:ACCOUNT:key/ID or …:alias/NAME. */
static bool find_arn(struct kms_call *call, const char *arn)
{
    char prefix[128];
    snprintf(prefix, sizeof prefix, "arn:aws:kms:%.32s:%.12s:", call->service->region,
             call->service->account);
    const char *alias = strstr(arn, ":alias/");
    const char *key = strstr(arn, ":key/");
    if (alias != NULL && strncmp(arn, prefix, strlen(prefix)) == 0 &&
        alias + 1 == arn + strlen(prefix))
        return find_alias(call, alias + 1);
    if (key != NULL && strlen(key + 5) < KMS_ID_SIZE)
        return find(call, key + 5, arn);
    return NOT_FOUND(call, "Invalid arn %.300s", arn);
}

bool kms_find_named_key(struct kms_call *call, const char *member)
{
    BUFFER_AUTO text;
    buffer_init(&text, KEY_ID_MAX + 1);
    if (!kms_input_text(call, member, KMS_REQUIRED, 1, KEY_ID_MAX, &text))
        return false;
    if (memchr(text.at, '\0', text.len) != NULL)
        return NOT_FOUND(call, "Invalid keyId");
    buffer_byte(&text, '\0');
    const char *name = (const char *)text.at;
    if (text.failed)
        return kms_fail_internal(call, "no memory for KeyId");
    if (strncmp(name, "arn:", 4) == 0)
        return find_arn(call, name);
    if (strncmp(name, "alias/", 6) == 0)
        return find_alias(call, name);
    if (strlen(name) != KMS_ID_SIZE - 1)
        return NOT_FOUND(call, "Invalid keyId '%.300s'", name);
    return find(call, name, NULL);
}

bool kms_require_enabled(struct kms_call *call)
{
    if (call->key.enabled)
        return true;
    return kms_fail(&call->failure, "DisabledException", "%s is disabled.", call->key.arn);
}
