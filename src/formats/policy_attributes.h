/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The condition keys of a request, collected: what KMS knows of the caller, of the attestation
 * document and of the encryption context (KMS Developer Guide, "AWS KMS condition keys", "Condition
 * keys for Nitro Enclaves"). The simulated KMS and `enclavectl policy check` both decide by these.
 */
#ifndef FORMATS_POLICY_ATTRIBUTES_H
#define FORMATS_POLICY_ATTRIBUTES_H

#include "formats/attestation.h"
#include "formats/policy.h"

/* Bytes of all names and values: registers, and an encryption context with its prefixes. */
#define POLICY_ATTRIBUTES_MAX (512u << 10)

#define POLICY_REGISTER_PREFIX "kms:RecipientAttestation:"
#define POLICY_IMAGE_KEY       POLICY_REGISTER_PREFIX "ImageSha384" /* the same as PCR0 */
#define POLICY_CONTEXT_PREFIX  "kms:EncryptionContext:"

struct policy_attributes {
    struct policy_attribute *items; /* owned; complete after policy_attributes_settle */
    size_t count;
    size_t cap;
    struct buffer text; /* what the items point into */
};

void policy_attributes_init(struct policy_attributes *a);
void policy_attributes_clear(struct policy_attributes *a);

/* Adds the key named by prefix and name. All is copied; a failure shows in settle. */
void policy_attributes_add(struct policy_attributes *a, const char *prefix, struct bytes name,
                           struct bytes value);

/*
 * Adds kms:RecipientAttestation:PCRn in lower-case hex, as KMS compares it, and for register 0 also
 * ImageSha384. Adds nothing if index is PCR_COUNT or above or value is longer than a register.
 */
void policy_attributes_add_register(struct policy_attributes *a, unsigned index,
                                    struct bytes value);

/* Adds every register that a verified document lists. */
void policy_attributes_add_document(struct policy_attributes *a,
                                    const struct attestation *document);

/*
 * Completes the items; to be called after the last was added. False if an addition failed: there
 * was no memory, or POLICY_ATTRIBUTES_MAX was exceeded.
 */
MUST_USE bool policy_attributes_settle(struct policy_attributes *a);

#endif
