/* SPDX-License-Identifier: Apache-2.0 */
/* What goes to KMS and what comes back, without the connection. Only for kms.c and tests. */
#ifndef ENCLAVE_KMS_MESSAGE_H
#define ENCLAVE_KMS_MESSAGE_H

#include "codec/http.h"
#include "enclave/kms.h"

/* Base64 of document and wrapped key, with room for the encryption context and the rest. */
#define KMS_REQUEST_MAX (524288u)

/*
 * Builds a signed Decrypt request as of now_us into head and body (secret buffers: head holds the
 * session token and the signature). ERROR_NO_CREDENTIALS, ERROR_MEMORY, ERROR_CRYPTO.
 */
MUST_USE bool kms_request_build(struct buffer *head, struct buffer *body,
                                const struct kms_call *call, struct bytes document, int64_t now_us,
                                struct error *err);

/*
 * Reads an answer. True: envelope holds CiphertextForRecipient, and KeyId was the pinned one.
 * Otherwise *err, and *refusal if KMS gave a reason.
 */
MUST_USE bool kms_response_read(const struct config *config, const struct http_response *response,
                                struct buffer *envelope, struct kms_refusal *refusal,
                                struct error *err);

#endif
