/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/kms_kind.h"

#include "crypto/hash.h"
#include "pki/pki.h"
#include "sim/kms/kms_input.h"

/* By enum kms_spec. Each spec has one usage, and each usage one spec. */
static const struct kms_kind kinds[] = {
    {"SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT", "EncryptionAlgorithms", "SYMMETRIC_DEFAULT"},
    {"ECC_NIST_P384", "SIGN_VERIFY", "SigningAlgorithms", "ECDSA_SHA_384"},
};
static const char *const specs[] = {"SYMMETRIC_DEFAULT", "ECC_NIST_P384", NULL};
static const char *const usages[] = {"ENCRYPT_DECRYPT", "SIGN_VERIFY", NULL};

const struct kms_kind *kms_kind(enum kms_spec spec)
{
    return &kinds[spec];
}

bool kms_take_kind(struct kms_call *call, enum kms_spec *out)
{
    size_t spec = KMS_SYMMETRIC_DEFAULT;
    size_t usage = KMS_SYMMETRIC_DEFAULT;
    if (kms_input_given(call, "KeySpec") && kms_input_given(call, "CustomerMasterKeySpec"))
        return kms_fail(&call->failure, "ValidationException",
                        "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
                        "CustomerMasterKeySpec is deprecated.");
    if (!kms_input_simulated(call, "KeySpec", specs, &spec) ||
        !kms_input_simulated(call, "CustomerMasterKeySpec", specs, &spec) ||
        !kms_input_simulated(call, "KeyUsage", usages, &usage))
        return false;
    if (spec != KMS_SYMMETRIC_DEFAULT && !kms_input_given(call, "KeyUsage"))
        return kms_fail(&call->failure, "ValidationException",
                        "You must specify a KeyUsage value for all KMS keys except for symmetric "
                        "encryption keys.");
    if (usage != spec)
        return kms_fail(&call->failure, "ValidationException",
                        "KeyUsage %s is not compatible with KeySpec %s", usages[usage],
                        specs[spec]);
    *out = (enum kms_spec)spec;
    return true;
}

static bool make_symmetric(struct buffer *backing)
{
    uint8_t *room = buffer_reserve(backing, KMS_BACKING_SIZE);
    if (room == NULL || !random_bytes(room, KMS_BACKING_SIZE))
        return false;
    buffer_commit(backing, KMS_BACKING_SIZE);
    return true;
}

static bool make_pair(struct buffer *backing)
{
    struct error err;
    struct pki_key *key = pki_key_new(&err);
    bool ok = key != NULL && pki_key_to_pem(key, backing);
    pki_key_free(key);
    return ok;
}

bool kms_make_backing(struct kms_call *call)
{
    struct buffer *backing = &call->key.backing;
    bool ok =
        call->key.spec == KMS_SYMMETRIC_DEFAULT ? make_symmetric(backing) : make_pair(backing);
    return ok || kms_fail_internal(call, "a key cannot be made");
}

bool kms_require_spec(struct kms_call *call, enum kms_spec spec)
{
    if (call->key.spec == spec)
        return true;
    return kms_fail(&call->failure, "InvalidKeyUsageException",
                    "%s key usage is %s which is not valid for %s.", call->key.arn,
                    kms_kind(call->key.spec)->usage, call->operation);
}
