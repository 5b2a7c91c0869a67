/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of the request body, checked for type and size. A member that is null counts as absent:
 * unless it is required, the function then returns true and sets nothing.
 */
#ifndef SIM_KMS_KMS_INPUT_H
#define SIM_KMS_KMS_INPUT_H

#include "sim/kms/kms_call.h"

enum kms_presence { KMS_OPTIONAL, KMS_REQUIRED };

bool kms_input_given(const struct kms_call *call, const char *name);
/* min, max: bytes. out is reset first. */
MUST_USE bool kms_input_text(struct kms_call *call, const char *name, enum kms_presence presence,
                             size_t min, size_t max, struct buffer *out);
/* Base64; max: bytes after decoding. out is reset first. */
MUST_USE bool kms_input_blob(struct kms_call *call, const char *name, enum kms_presence presence,
                             size_t max, struct buffer *out);
MUST_USE bool kms_input_integer(struct kms_call *call, const char *name, int64_t min, int64_t max,
                                int64_t *out);
MUST_USE bool kms_input_boolean(struct kms_call *call, const char *name, bool *out);
/* A text that is one of names (NULL-terminated), whose number goes to *out. */
MUST_USE bool kms_input_choice(struct kms_call *call, const char *name, enum kms_presence presence,
                               const char *const *names, size_t *out);
/* The same for an optional text of which KMS has more values: those are not simulated. */
MUST_USE bool kms_input_simulated(struct kms_call *call, const char *name, const char *const *names,
                                  size_t *out);
/* A text whose one simulated value is only; every other value is refused. */
MUST_USE bool kms_input_only(struct kms_call *call, const char *name, const char *only);
/* EncryptionContext into call->context. */
MUST_USE bool kms_input_context(struct kms_call *call);
/* Refuses a request with one of names (NULL-terminated), such as GrantTokens, instead of ignoring
 * it. */
MUST_USE bool kms_input_unsupported(struct kms_call *call, const char *const *names);

#endif
