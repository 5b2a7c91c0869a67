/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CiphertextBlob: version(1) = 1 ‖ key id(16) ‖ AES-256-GCM sealed form (nonce ‖ ciphertext ‖ tag).
 * Opaque to clients, as KMS's own is.
 *
 * The AEAD takes no associated data, so each blob is sealed under a subkey:
 * HMAC-SHA256(backing key, label ‖ version and key id ‖ canonical encryption context). A wrong
 * context or a changed header gives another subkey, so authentication fails before any plaintext
 * exists. A digest inside the plaintext could only be compared after opening.
 */
#ifndef SIM_KMS_STORE_KMS_BLOB_H
#define SIM_KMS_STORE_KMS_BLOB_H

#include "sim/kms_store/kms_context.h"
#include "sim/kms_store/kms_store.h"

#define KMS_BLOB_MAX      6144 /* bytes: KMS API, Decrypt */
#define KMS_PLAINTEXT_MAX 4096

/* Appends a blob. False if there are no random bytes or no memory. */
MUST_USE bool kms_blob_seal(struct buffer *out, const struct kms_key *key,
                            const struct kms_context *context, struct bytes plaintext);

/* The id of the key that a blob says it was made under; false if it is not one of our blobs. */
MUST_USE bool kms_blob_key_id(struct bytes blob, char id[KMS_ID_SIZE]);

/* Opens a blob into out (secret). False if the key, the context or any byte of it is wrong. */
MUST_USE bool kms_blob_open(struct buffer *out, const struct kms_key *key,
                            const struct kms_context *context, struct bytes blob);

#endif
