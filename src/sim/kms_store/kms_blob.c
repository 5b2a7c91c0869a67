/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_store/kms_blob.h"

#include "base/secret.h"
#include "crypto/aead.h"
#include "crypto/hash.h"

#define VERSION     1
#define HEADER_SIZE 17
#define INFO_MAX    ((size_t)16 * KMS_CONTEXT_MAX) /* a pair costs 8 bytes more than its text */
#define LABEL       "enclave-sim kms ciphertext"

static struct aead *subkey(const struct kms_key *key, const struct kms_context *context,
                           const uint8_t header[HEADER_SIZE])
{
    BUFFER_AUTO info;
    buffer_init(&info, INFO_MAX);
    buffer_append(&info, bytes_of(LABEL, sizeof LABEL)); /* with its terminator */
    buffer_append(&info, bytes_of(header, HEADER_SIZE));
    kms_context_canonical(context, &info);
    uint8_t secret[AEAD_KEY_SIZE];
    struct aead *aead = NULL;
    if (!info.failed && hmac_sha256(secret, buffer_bytes(&key->backing), buffer_bytes(&info)))
        aead = aead_new(secret);
    wipe(secret, sizeof secret);
    return aead;
}

bool kms_blob_seal(struct buffer *out, const struct kms_key *key, const struct kms_context *context,
                   struct bytes plaintext)
{
    uint8_t header[HEADER_SIZE] = {VERSION};
    if (!kms_id_to_bytes(key->id, header + 1))
        return false;
    struct aead *aead = subkey(key, context, header);
    if (aead == NULL)
        return false;
    size_t len = plaintext.len + AEAD_OVERHEAD;
    buffer_append(out, bytes_of(header, sizeof header));
    uint8_t *at = buffer_reserve(out, len);
    bool ok = at != NULL && random_bytes(at, AEAD_NONCE_SIZE) && aead_seal(aead, at, plaintext);
    if (ok)
        buffer_commit(out, len);
    aead_free(aead);
    return ok;
}

bool kms_blob_key_id(struct bytes blob, char id[KMS_ID_SIZE])
{
    if (blob.len < HEADER_SIZE + AEAD_OVERHEAD || blob.at[0] != VERSION)
        return false;
    kms_id_from_bytes(id, blob.at + 1);
    return true;
}

bool kms_blob_open(struct buffer *out, const struct kms_key *key, const struct kms_context *context,
                   struct bytes blob)
{
    char id[KMS_ID_SIZE];
    if (!kms_blob_key_id(blob, id) || strcmp(id, key->id) != 0)
        return false;
    struct aead *aead = subkey(key, context, blob.at);
    if (aead == NULL)
        return false;
    struct bytes sealed = bytes_from(blob, HEADER_SIZE);
    size_t len = sealed.len - AEAD_OVERHEAD;
    uint8_t *at = buffer_reserve(out, len);
    bool ok = at != NULL && aead_open(aead, at, sealed);
    if (ok)
        buffer_commit(out, len);
    aead_free(aead);
    return ok;
}
