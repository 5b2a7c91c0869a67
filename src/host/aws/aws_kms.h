/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signing with a key that AWS KMS keeps: of KeySpec ECC_NIST_P384, for SIGN_VERIFY, as nitro-cli
 * uses it (KMS API reference, GetPublicKey and Sign).
 */
#ifndef HOST_AWS_AWS_KMS_H
#define HOST_AWS_AWS_KMS_H

#include "host/aws/aws.h"

#define AWS_KMS_SPKI_MAX      1024
#define AWS_KMS_SIGNATURE_MAX 1024

struct aws_kms_key {
    const char *arn; /* arn:PARTITION:kms:REGION:ACCOUNT:key/ID; the caller's */
    char region[64];
};

/* Takes the ARN of a key. ERROR_USAGE. */
MUST_USE bool aws_kms_key(struct aws_kms_key *out, const char *arn, struct error *err);

/*
 * Each appends what KMS answers: the public key (DER SubjectPublicKeyInfo), the signature of a
 * SHA-384 digest (DER). A call that KMS throttles or cannot serve is made three times in all.
 * ERROR_KMS_DENIED has KMS's own type and message; ERROR_USAGE: the key is of another kind;
 * ERROR_KMS_THROTTLED, ERROR_KMS_UNAVAILABLE, ERROR_KMS_RESPONSE, ERROR_KEY_MISMATCH, or as
 * aws_call.
 */
MUST_USE bool aws_kms_public_key(const struct aws_kms_key *key, const struct aws_keys *keys,
                                 struct buffer *spki, struct error *err);
MUST_USE bool aws_kms_sign(const struct aws_kms_key *key, const struct aws_keys *keys,
                           struct bytes digest, struct buffer *signature, struct error *err);

#endif
