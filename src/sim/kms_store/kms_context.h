/* SPDX-License-Identifier: Apache-2.0 */
/* An encryption context: unordered pairs of strings; a ciphertext is bound to all of them. */
#ifndef SIM_KMS_STORE_KMS_CONTEXT_H
#define SIM_KMS_STORE_KMS_CONTEXT_H

#include "codec/json.h"

/* Names and values together, bytes. KMS documents no limit; this one is the simulator's. */
#define KMS_CONTEXT_MAX 8192

struct kms_context_pair {
    struct bytes name;
    struct bytes value;
};

struct kms_context {
    struct kms_context_pair *pairs; /* sorted by name */
    size_t count;
    struct buffer text; /* what the pairs view */
};

enum kms_context_result { KMS_CONTEXT_OK, KMS_CONTEXT_TYPE, KMS_CONTEXT_SIZE, KMS_CONTEXT_MEMORY };

void kms_context_init(struct kms_context *context);
void kms_context_clear(struct kms_context *context);

/* Reads an object of strings from doc. Names are unique: the parser refuses duplicates. */
MUST_USE enum kms_context_result kms_context_read(struct kms_context *context,
                                                  const struct json *doc, json_value object);

/* Appends the canonical encoding: for each pair, by name, a be32 length and the bytes of both. */
void kms_context_canonical(const struct kms_context *context, struct buffer *out);

#endif
