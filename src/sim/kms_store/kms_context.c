/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_store/kms_context.h"

#include <stdlib.h>

void kms_context_init(struct kms_context *context)
{
    memset(context, 0, sizeof *context);
    buffer_init(&context->text, KMS_CONTEXT_MAX);
}

void kms_context_clear(struct kms_context *context)
{
    free(context->pairs);
    buffer_clear(&context->text);
    context->pairs = NULL;
    context->count = 0;
}

static int by_name(const void *a, const void *b)
{
    const struct kms_context_pair *left = a;
    const struct kms_context_pair *right = b;
    size_t shorter = left->name.len < right->name.len ? left->name.len : right->name.len;
    int order = shorter > 0 ? memcmp(left->name.at, right->name.at, shorter) : 0;
    if (order != 0)
        return order;
    return (left->name.len > right->name.len) - (left->name.len < right->name.len);
}

static enum kms_context_result append_string(struct buffer *text, const struct json *doc,
                                             json_value value, size_t *len)
{
    size_t before = text->len;
    if (json_type(doc, value) != JSON_STRING)
        return KMS_CONTEXT_TYPE;
    if (!json_string(doc, value, text))
        return text->failed ? KMS_CONTEXT_SIZE : KMS_CONTEXT_TYPE;
    *len = text->len - before;
    return KMS_CONTEXT_OK;
}

/* The text may move while it grows, so only lengths are kept until it is complete. */
static void make_views(struct kms_context *context)
{
    const uint8_t *at = context->text.at;
    for (size_t i = 0; i < context->count; i++) {
        struct kms_context_pair *pair = &context->pairs[i];
        pair->name.at = at;
        at += pair->name.len;
        pair->value.at = at;
        at += pair->value.len;
    }
    if (context->count > 1)
        qsort(context->pairs, context->count, sizeof *context->pairs, by_name);
}

enum kms_context_result kms_context_read(struct kms_context *context, const struct json *doc,
                                         json_value object)
{
    if (json_type(doc, object) != JSON_OBJECT)
        return KMS_CONTEXT_TYPE;
    size_t count = 0;
    for (json_value n = json_first(doc, object); n != JSON_NONE; n = json_next(doc, object, n))
        count++;
    if (count == 0)
        return KMS_CONTEXT_OK;
    if (count > KMS_CONTEXT_MAX)
        return KMS_CONTEXT_SIZE;
    context->pairs = calloc(count, sizeof *context->pairs);
    if (context->pairs == NULL)
        return KMS_CONTEXT_MEMORY;
    for (json_value n = json_first(doc, object); n != JSON_NONE; n = json_next(doc, object, n)) {
        struct kms_context_pair *pair = &context->pairs[context->count++];
        enum kms_context_result result = append_string(&context->text, doc, n, &pair->name.len);
        if (result == KMS_CONTEXT_OK)
            result = append_string(&context->text, doc, n + 1, &pair->value.len);
        if (result != KMS_CONTEXT_OK) {
            kms_context_clear(context);
            return result;
        }
    }
    make_views(context);
    return KMS_CONTEXT_OK;
}

static void put(struct buffer *out, struct bytes text)
{
    uint8_t len[4];
    be32_store(len, (uint32_t)text.len); /* at most KMS_CONTEXT_MAX */
    buffer_append(out, bytes_of(len, sizeof len));
    buffer_append(out, text);
}

void kms_context_canonical(const struct kms_context *context, struct buffer *out)
{
    for (size_t i = 0; i < context->count; i++) {
        put(out, context->pairs[i].name);
        put(out, context->pairs[i].value);
    }
}
