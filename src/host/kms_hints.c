/* SPDX-License-Identifier: Apache-2.0 */
#include "host/kms_hints.h"

#include <string.h>

#include "base/bytes.h"

/* KMS API reference, Decrypt, "Errors"; AWS General Reference, "Common errors"; for TLS, OpenSSL's
 * X509_verify_cert_error_string(3) and reasons. */
#define DENIED  "kms_denied"
#define TLS     "tls_failed"
#define STRANGE "the certificate of KMS does not come from a configured root"
#define RAW     "the relay must be raw TCP, without TLS of its own; check kms.roots_file"

static const struct kms_hint hints[] = {
    {DENIED, "ExpiredToken", "the AWS credentials have expired",
     "run enclavectl configure --watch, which renews them in time"},
    {DENIED, "UnrecognizedClient",
     "AWS does not know the access key, or the session token is missing or not its own",
     "deliver all three: key id, secret and session token, of a role in the key's partition"},
    {DENIED, "InvalidClientTokenId", "AWS does not know the access key",
     "deliver credentials of a role in the key's partition"},
    {DENIED, "Signature expired", "the clock of the enclave is slow",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {DENIED, "not yet current", "the clock of the enclave is fast",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {DENIED, "Signature", "the secret access key does not belong to the access key id",
     "deliver the credentials again: enclavectl configure"},
    {DENIED, "IncorrectKey", "the TSK was wrapped under another KMS key than the pinned one",
     "wrap a TSK under the pinned key and deliver it"},
    {DENIED, "InvalidCiphertext",
     "the wrapped TSK is damaged, or was wrapped with another encryption context",
     "wrap it with exactly the encryption context of the configuration"},
    {DENIED, "NotFound", "there is no such KMS key in this region and account",
     "correct kms.key_arn in the configuration; the image's measurement changes with it"},
    {DENIED, "Disabled", "the KMS key is disabled", "enable it: aws kms enable-key"},
    {DENIED, "InvalidKeyUsage", "the pinned key is not a symmetric encryption key",
     "pin a key of KeyUsage ENCRYPT_DECRYPT and KeySpec SYMMETRIC_DEFAULT"},
    {DENIED, "MissingAuthenticationToken", "the request reached AWS without credentials",
     "deliver them again: enclavectl configure"},
    {DENIED, "RequestExpired", "the clock of the enclave is off by more than five minutes",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {DENIED, "InvalidGrantToken", "the grant is not valid",
     "create it again, or use the key policy"},
    {DENIED, "InvalidState", "the KMS key is pending deletion or not usable",
     "cancel its deletion, or wrap the TSK under another key"},
    {DENIED, "Validation",
     "KMS does not accept the attestation document: expired, or not signed under AWS's root",
     "check the clock; a simulated NSM works with the simulated KMS only"},
    {DENIED, "AccessDenied",
     "the key policy does not allow this: a condition on the measurements (an image built anew has "
     "another PCR0; in debug mode all PCRs are zero) or the role",
     "compare them: enclavectl doctor --policy FILE --measurements FILE; put the new PCR0 into the "
     "policy; "
     "run without --debug-mode"},

    {TLS, "not yet valid", "the certificate of KMS is not yet valid: the clock is slow",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {TLS, "expired", "the certificate of KMS has expired, or the clock is fast",
     "set the parent's clock (chrony); the enclave takes it from there"},
    {TLS, "mismatch", "the certificate is for another name: the relay leads to another server",
     "point the relay to kms.endpoint, port 443"},
    {TLS, "issuer", STRANGE, RAW},
    {TLS, "self-signed", STRANGE, RAW},
    {TLS, "first certificate", STRANGE, RAW},
    {TLS, "wrong version number", "what answers at the relay does not speak TLS",
     "the relay must be raw TCP to port 443 of KMS, not an HTTP proxy"},
    {TLS, "protocol", "the server speaks neither TLS 1.2 nor TLS 1.3",
     "the relay must lead to port 443 of KMS"},
};

const struct kms_hint *kms_hint(const char *code, const char *said)
{
    for (size_t i = 0; i < ARRAY_LEN(hints); i++)
        if (strcmp(hints[i].code, code) == 0 && strcasestr(said, hints[i].needle) != NULL)
            return &hints[i];
    return NULL;
}
