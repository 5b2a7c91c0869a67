/* SPDX-License-Identifier: Apache-2.0 */
#include "host/kms_hints.h"

#include <string.h>

#include "base/bytes.h"

/* Types: KMS API reference, Decrypt, "Errors"; AWS General Reference, "Common errors". */
static const struct kms_hint hints[] = {
    {"ExpiredToken", "the AWS credentials have expired",
     "run enclavectl configure --watch, which renews them in time"},
    {"UnrecognizedClient",
     "AWS does not know the access key, or the session token is missing or not its own",
     "deliver all three: key id, secret and session token, of a role in the key's partition"},
    {"InvalidClientTokenId", "AWS does not know the access key",
     "deliver credentials of a role in the key's partition"},
    {"Signature expired", "the clock of the enclave is slow",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {"not yet current", "the clock of the enclave is fast",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {"Signature", "the secret access key does not belong to the access key id",
     "deliver the credentials again: enclavectl configure"},
    {"IncorrectKey", "the TSK was wrapped under another KMS key than the pinned one",
     "wrap a TSK under the pinned key and deliver it"},
    {"InvalidCiphertext",
     "the wrapped TSK is damaged, or was wrapped with another encryption context",
     "wrap it with exactly the encryption context of the configuration"},
    {"NotFound", "there is no such KMS key in this region and account",
     "correct kms.key_arn in the configuration; the image's measurement changes with it"},
    {"Disabled", "the KMS key is disabled", "enable it: aws kms enable-key"},
    {"InvalidKeyUsage", "the pinned key is not a symmetric encryption key",
     "pin a key of KeyUsage ENCRYPT_DECRYPT and KeySpec SYMMETRIC_DEFAULT"},
    {"MissingAuthenticationToken", "the request reached AWS without credentials",
     "deliver them again: enclavectl configure"},
    {"RequestExpired", "the clock of the enclave is off by more than five minutes",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {"InvalidGrantToken", "the grant is not valid", "create it again, or use the key policy"},
    {"InvalidState", "the KMS key is pending deletion or not usable",
     "cancel its deletion, or wrap the TSK under another key"},
    {"Validation",
     "KMS does not take the attestation document: expired, or not signed under AWS's root",
     "check the clock; a simulated NSM works with the simulated KMS only"},
    {"AccessDenied",
     "the key policy does not allow this: a condition on the measurements (an image built anew has "
     "another PCR0; in debug mode all PCRs are zero) or the role",
     "compare them: enclavectl doctor --policy FILE --measurements FILE; put the new PCR0 into the "
     "policy; "
     "run without --debug-mode"},
};

const struct kms_hint *kms_hint(const char *said)
{
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (strcasestr(said, hints[i].needle) != NULL)
            return &hints[i];
    return NULL;
}
