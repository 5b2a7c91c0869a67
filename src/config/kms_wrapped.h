/* SPDX-License-Identifier: Apache-2.0 */
/* A wrapped TSK as text, wherever it comes from: a file, the environment, a request. */
#ifndef CONFIG_KMS_WRAPPED_H
#define CONFIG_KMS_WRAPPED_H

#include "base/buffer.h"

#define KMS_WRAPPED_MAX      6144                           /* CiphertextBlob, bytes: KMS's limit */
#define KMS_WRAPPED_TEXT_MAX (KMS_WRAPPED_MAX / 3 * 4 + 64) /* with white space after it, bytes */
#define KMS_QUOTED(number)   #number
#define KMS_FORM(limit)      "must be base64 of at most " KMS_QUOTED(limit) " bytes"
#define KMS_WRAPPED_FORM     KMS_FORM(KMS_WRAPPED_MAX)

/* Decodes it into a buffer that is empty and not yet initialized; blank text leaves it empty. */
MUST_USE bool kms_decode_wrapped(struct buffer *wrapped, struct bytes base64);

#endif
