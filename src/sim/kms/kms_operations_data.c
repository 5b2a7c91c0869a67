/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that use a key. The comment above each function is the shape of its request. */
#include "crypto/hash.h"
#include "sim/kms/kms_authorize.h"
#include "sim/kms/kms_find.h"
#include "sim/kms/kms_input.h"
#include "sim/kms/kms_kind.h"
#include "sim/kms/kms_operations.h"
#include "sim/kms/kms_recipient.h"
#include "sim/kms_store/kms_blob.h"

#define DATA_KEY_MAX 1024 /* bytes: KMS API, GenerateDataKey and GenerateRandom */

static const char *const refused[] = {"DryRun", "GrantTokens", "DryRunModifiers", NULL};

static bool answer_blob(struct kms_call *call, struct bytes plaintext)
{
    BUFFER_AUTO blob;
    buffer_init(&blob, KMS_BLOB_MAX);
    if (!kms_blob_seal(&blob, &call->key, &call->context, plaintext))
        return kms_fail_internal(call, "the plaintext cannot be sealed");
    json_base64(&call->out, "CiphertextBlob", buffer_bytes(&blob));
    return true;
}

/* {KeyId, Plaintext, EncryptionContext?, EncryptionAlgorithm?} */
bool kms_encrypt(struct kms_call *call)
{
    BUFFER_AUTO plaintext;
    buffer_init_secret(&plaintext, KMS_PLAINTEXT_MAX);
    if (!kms_input_unsupported(call, refused) ||
        !kms_input_only(call, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT") ||
        !kms_input_blob(call, "Plaintext", KMS_REQUIRED, KMS_PLAINTEXT_MAX, &plaintext) ||
        !kms_input_context(call) || !kms_find_named_key(call, "KeyId") || !kms_authorize(call) ||
        !kms_require_enabled(call) || !kms_require_spec(call, KMS_SYMMETRIC_DEFAULT) ||
        !answer_blob(call, buffer_bytes(&plaintext)))
        return false;
    json_text(&call->out, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    kms_answer_key_id(call);
    return true;
}

/* The key that the blob names; KeyId, if given, must name the same one. */
static bool find_key_of_blob(struct kms_call *call, struct bytes blob)
{
    char id[KMS_ID_SIZE];
    bool ours = kms_blob_key_id(blob, id);
    if (!kms_input_given(call, "KeyId")) {
        if (ours && kms_find_key(call, id))
            return true;
        if (ours && strcmp(call->failure.type, "NotFoundException") != 0)
            return false;
        return kms_fail_type(&call->failure, "InvalidCiphertextException");
    }
    if (!kms_find_named_key(call, "KeyId"))
        return false;
    if (ours && strcmp(id, call->key.id) != 0)
        return kms_fail(&call->failure, "IncorrectKeyException",
                        "The key ID in the request does not identify a CMK that can perform this "
                        "operation.");
    return true;
}

/* {CiphertextBlob, KeyId?, EncryptionContext?, EncryptionAlgorithm?, Recipient?} */
bool kms_decrypt(struct kms_call *call)
{
    BUFFER_AUTO blob;
    BUFFER_AUTO plaintext;
    buffer_init(&blob, KMS_BLOB_MAX);
    buffer_init_secret(&plaintext, KMS_BLOB_MAX);
    if (!kms_input_unsupported(call, refused) ||
        !kms_input_only(call, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT") ||
        !kms_input_blob(call, "CiphertextBlob", KMS_REQUIRED, KMS_BLOB_MAX, &blob) ||
        !kms_input_context(call) || !kms_take_recipient(call) ||
        !find_key_of_blob(call, buffer_bytes(&blob)) || !kms_authorize(call) ||
        !kms_require_enabled(call) || !kms_require_spec(call, KMS_SYMMETRIC_DEFAULT))
        return false;
    if (!kms_blob_open(&plaintext, &call->key, &call->context, buffer_bytes(&blob)))
        return kms_fail_type(&call->failure, "InvalidCiphertextException");
    json_text(&call->out, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    kms_answer_key_id(call);
    return kms_answer_plaintext(call, buffer_bytes(&plaintext));
}

/* KeySpec or NumberOfBytes; exactly one of them is given. */
static bool take_length(struct kms_call *call, size_t *len)
{
    int64_t number = 0;
    if (!kms_input_integer(call, "NumberOfBytes", 1, DATA_KEY_MAX, &number))
        return false;
    if ((number == 0) == !kms_input_given(call, "KeySpec"))
        return kms_fail(&call->failure, "ValidationException",
                        "Please specify either number of bytes or key spec.");
    json_value spec = json_member(&call->in, 0, "KeySpec");
    if (number != 0)
        *len = (size_t)number;
    else if (json_string_is(&call->in, spec, "AES_256"))
        *len = 32;
    else if (json_string_is(&call->in, spec, "AES_128"))
        *len = 16;
    else
        return kms_fail(&call->failure, "ValidationException",
                        "1 validation error detected: Value at 'keySpec' failed to satisfy "
                        "constraint: Member must satisfy enum value set: [AES_256, AES_128]");
    return true;
}

static bool fill(struct kms_call *call, struct buffer *out, size_t len)
{
    uint8_t *at = buffer_reserve(out, len);
    if (at == NULL || !random_bytes(at, len))
        return kms_fail_internal(call, "no random bytes");
    buffer_commit(out, len);
    return true;
}

static bool generate(struct kms_call *call, struct buffer *plaintext)
{
    size_t len = 0;
    if (!kms_input_unsupported(call, refused) || !take_length(call, &len) ||
        !kms_input_context(call) || !kms_take_recipient(call) ||
        !kms_find_named_key(call, "KeyId") || !kms_authorize(call) || !kms_require_enabled(call) ||
        !kms_require_spec(call, KMS_SYMMETRIC_DEFAULT) || !fill(call, plaintext, len) ||
        !answer_blob(call, buffer_bytes(plaintext)))
        return false;
    kms_answer_key_id(call);
    return true;
}

/* {KeyId, KeySpec? | NumberOfBytes?, EncryptionContext?, Recipient?} */
bool kms_generate_data_key(struct kms_call *call)
{
    BUFFER_AUTO plaintext;
    buffer_init_secret(&plaintext, DATA_KEY_MAX);
    return generate(call, &plaintext) && kms_answer_plaintext(call, buffer_bytes(&plaintext));
}

/* {KeyId, KeySpec? | NumberOfBytes?, EncryptionContext?} */
bool kms_generate_data_key_without_plaintext(struct kms_call *call)
{
    BUFFER_AUTO plaintext;
    buffer_init_secret(&plaintext, DATA_KEY_MAX);
    return generate(call, &plaintext);
}

/* {NumberOfBytes, Recipient?}. There is no key and so no policy: every caller is allowed. */
bool kms_generate_random(struct kms_call *call)
{
    static const char *const stores[] = {"CustomKeyStoreId", NULL};
    int64_t number = 0;
    BUFFER_AUTO plaintext;
    buffer_init_secret(&plaintext, DATA_KEY_MAX);
    if (!kms_input_unsupported(call, stores) ||
        !kms_input_integer(call, "NumberOfBytes", 1, DATA_KEY_MAX, &number))
        return false;
    if (number == 0)
        return kms_fail(&call->failure, "ValidationException", "NumberOfBytes is required");
    return kms_take_recipient(call) && fill(call, &plaintext, (size_t)number) &&
           kms_answer_plaintext(call, buffer_bytes(&plaintext));
}
