/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS key policies: the part of IAM's policy language that decides whether a request with an
 * attestation document may use a key (IAM User Guide, "Policy evaluation logic" and "IAM JSON
 * policy elements: Condition operators"). Not part of enclaved.
 *
 * Versions 2012-10-17 and 2008-10-17; Effect Allow and Deny; Principal ("*" or AWS: ARNs, account
 * ids, lists); Action and NotAction with * and ?; Resource "*" or the key's ARN; Condition with
 * StringEquals, StringNotEquals, StringEqualsIgnoreCase, StringNotEqualsIgnoreCase, StringLike,
 * StringNotLike, their IfExists forms, Null and Bool. Any other operator is refused when the policy
 * is put, as MalformedPolicyDocumentException, rather than ignored.
 */
#ifndef FORMATS_POLICY_H
#define FORMATS_POLICY_H

#include "codec/json.h"

#define POLICY_TEXT_MAX 32768 /* KMS's limit on a key policy, bytes */

struct policy; /* owned; immutable after parsing */

/* NULL on failure: ERROR_FORMAT with what is malformed and where, ERROR_MEMORY. */
MUST_USE struct policy *policy_new(struct bytes text, struct error *err);
void policy_free(struct policy *policy);

/* A condition key of a request and its value, UTF-8 views. Names are compared without case. */
struct policy_attribute {
    struct bytes name; /* kms:RecipientAttestation:PCR0, kms:EncryptionContext:purpose, … */
    struct bytes value;
};

struct policy_request {
    struct bytes principal_arn; /* arn:aws:iam::111122223333:role/enclave or …:root, user/… */
    struct bytes account;       /* 12 digits */
    struct bytes action;        /* kms:Decrypt */
    struct bytes resource;      /* the key's ARN */
    const struct policy_attribute *attributes;
    size_t attribute_count;
};

enum policy_effect { POLICY_ALLOWED, POLICY_DENIED_EXPLICITLY, POLICY_NOT_ALLOWED };

/* What one condition asked for and what the request had: views, valid during the callback. */
struct policy_finding {
    struct bytes statement; /* Sid, or "statement 2" */
    bool deny;              /* the statement's effect is Deny */
    struct bytes condition; /* "StringEqualsIgnoreCase"; "Action", "Principal", "Resource" */
    struct bytes key;       /* condition key; empty for Action, Principal, Resource */
    struct bytes wanted;    /* the policy's values, joined with " | " */
    struct bytes actual;    /* the request's value; at is NULL if the request has none */
    bool matched;
};

typedef void (*policy_explain)(void *context, const struct policy_finding *finding);

/*
 * Decides: denied if a Deny matches, else allowed if an Allow does, else not allowed. explain,
 * unless NULL, is called for each element of each statement, matched or not, in the order of the
 * policy.
 */
enum policy_effect policy_evaluate(const struct policy *policy,
                                   const struct policy_request *request, policy_explain explain,
                                   void *context);

#endif
