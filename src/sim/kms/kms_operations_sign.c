/* SPDX-License-Identifier: Apache-2.0 */
/* Operations that use a signing key. The comment above each function is its request. */
#include "pki/ecdsa.h"
#include "pki/pki.h"
#include "pki/sha384.h"
#include "sim/kms/kms_authorize.h"
#include "sim/kms/kms_find.h"
#include "sim/kms/kms_input.h"
#include "sim/kms/kms_kind.h"
#include "sim/kms/kms_operations.h"

#define MESSAGE_MAX   4096 /* bytes: KMS API, Sign */
#define SPKI_MAX      256
#define SIGNATURE_MAX ECDSA_DER_MAX

/* The private key of call->key; NULL: the call has failed. */
static struct pki_key *open_key(struct kms_call *call)
{
    struct error err;
    struct pki_key *key = pki_key_from_pem(buffer_bytes(&call->key.backing), &err);
    if (key == NULL)
        kms_fail_internal(call, "the stored private key cannot be read");
    return key;
}

static bool answer_public_key(struct kms_call *call)
{
    BUFFER_AUTO spki;
    buffer_init(&spki, SPKI_MAX);
    struct pki_key *key = open_key(call);
    if (key == NULL)
        return false;
    bool ok = pki_key_spki(key, &spki);
    pki_key_free(key);
    json_base64(&call->out, "PublicKey", buffer_bytes(&spki));
    return ok || kms_fail_internal(call, "the public key cannot be encoded");
}

/* {KeyId} */
bool kms_get_public_key(struct kms_call *call)
{
    static const char *const refused[] = {"GrantTokens", NULL};
    if (!kms_input_unsupported(call, refused) || !kms_find_named_key(call, "KeyId") ||
        !kms_authorize(call) || !kms_require_enabled(call))
        return false;
    if (call->key.spec == KMS_SYMMETRIC_DEFAULT)
        return kms_fail(&call->failure, "UnsupportedOperationException",
                        "%s is a symmetric key: it has no public key", call->key.arn);
    const struct kms_kind *kind = kms_kind(call->key.spec);
    json_text(&call->out, "CustomerMasterKeySpec", kind->spec);
    kms_answer_key_id(call);
    json_text(&call->out, "KeySpec", kind->spec);
    json_text(&call->out, "KeyUsage", kind->usage);
    json_array(&call->out, kind->algorithms);
    json_text(&call->out, NULL, kind->algorithm);
    json_end(&call->out);
    return answer_public_key(call);
}

/* KMS API, Sign: the values of SigningAlgorithm and of MessageType. */
static const char *const algorithms[] = {"RSASSA_PSS_SHA_256",
                                         "RSASSA_PSS_SHA_384",
                                         "RSASSA_PSS_SHA_512",
                                         "RSASSA_PKCS1_V1_5_SHA_256",
                                         "RSASSA_PKCS1_V1_5_SHA_384",
                                         "RSASSA_PKCS1_V1_5_SHA_512",
                                         "ECDSA_SHA_256",
                                         "ECDSA_SHA_384",
                                         "ECDSA_SHA_512",
                                         "SM2DSA",
                                         "ML_DSA_SHAKE_256",
                                         "ED25519_SHA_512",
                                         "ED25519_PH_SHA_512",
                                         NULL};
static const char *const types[] = {"RAW", "DIGEST", "EXTERNAL_MU", NULL};

static bool check_algorithm(struct kms_call *call)
{
    const struct kms_kind *kind = kms_kind(call->key.spec);
    if (strcmp(call->signing_algorithm, kind->algorithm) != 0)
        return kms_fail(&call->failure, "InvalidKeyUsageException",
                        "Algorithm %s is incompatible with key spec %s.", call->signing_algorithm,
                        kind->spec);
    if (strcmp(call->message_type, "EXTERNAL_MU") == 0)
        return kms_fail(&call->failure, "ValidationException",
                        "Message type %s is incompatible with key spec %s.", call->message_type,
                        kind->spec);
    return true;
}

/* The digest that is signed: of the message, or the message itself. */
static bool take_digest(struct kms_call *call, struct bytes message, uint8_t digest[SHA384_SIZE])
{
    if (strcmp(call->message_type, "RAW") == 0)
        return sha384(digest, message) || kms_fail_internal(call, "the message cannot be hashed");
    if (message.len != SHA384_SIZE)
        return kms_fail(&call->failure, "ValidationException",
                        "Digest is invalid length for algorithm %s.", call->signing_algorithm);
    memcpy(digest, message.at, SHA384_SIZE);
    return true;
}

static bool answer_signature(struct kms_call *call, const uint8_t digest[SHA384_SIZE])
{
    BUFFER_AUTO signature;
    buffer_init(&signature, SIGNATURE_MAX);
    struct pki_key *key = open_key(call);
    if (key == NULL)
        return false;
    bool ok = pki_sign_digest(key, bytes_of(digest, SHA384_SIZE), &signature);
    pki_key_free(key);
    json_base64(&call->out, "Signature", buffer_bytes(&signature));
    return ok || kms_fail_internal(call, "the message cannot be signed");
}

/* {KeyId, Message, MessageType?, SigningAlgorithm} */
bool kms_sign(struct kms_call *call)
{
    static const char *const refused[] = {"DryRun", "GrantTokens", NULL};
    uint8_t digest[SHA384_SIZE];
    size_t algorithm = 0;
    size_t type = 0;
    BUFFER_AUTO message;
    buffer_init(&message, MESSAGE_MAX);
    if (!kms_input_unsupported(call, refused) ||
        !kms_input_blob(call, "Message", KMS_REQUIRED, MESSAGE_MAX, &message) ||
        !kms_input_choice(call, "MessageType", KMS_OPTIONAL, types, &type) ||
        !kms_input_choice(call, "SigningAlgorithm", KMS_REQUIRED, algorithms, &algorithm))
        return false;
    call->message_type = types[type];
    call->signing_algorithm = algorithms[algorithm];
    if (!kms_find_named_key(call, "KeyId") || !kms_authorize(call) || !kms_require_enabled(call) ||
        !kms_require_spec(call, KMS_ECC_NIST_P384) || !check_algorithm(call) ||
        !take_digest(call, buffer_bytes(&message), digest))
        return false;
    kms_answer_key_id(call);
    json_text(&call->out, "SigningAlgorithm", call->signing_algorithm);
    return answer_signature(call, digest);
}
