/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_document.h"

#include <stdio.h>

#include "formats/cose.h"

#define LEAF_LIFE_S  10800L /* three hours, like AWS's */
#define LEAF_RENEW_S 600L   /* remaining validity at which a new leaf is made */

void nsm_leaf_init(struct nsm_leaf *leaf)
{
    *leaf = (struct nsm_leaf){0};
    buffer_init(&leaf->der, ATTESTATION_CERT_MAX);
}

void nsm_leaf_clear(struct nsm_leaf *leaf)
{
    pki_key_free(leaf->key);
    leaf->key = NULL;
    buffer_clear(&leaf->der);
}

bool nsm_leaf_ensure(struct nsm_leaf *leaf, const struct nsm_identity *identity,
                     const char *module_id, int64_t now_s)
{
    if (leaf->key != NULL && now_s >= leaf->from_s && now_s < leaf->to_s - LEAF_RENEW_S)
        return true;
    char name[64];
    snprintf(name, sizeof name, "%s." NSM_REGION ".aws", module_id);
    struct pki_subject subject = {
        .common_name = name,
        .organizational_unit = NSM_ORGANIZATIONAL_UNIT,
        .not_before_s = now_s,
        .not_after_s = now_s + LEAF_LIFE_S,
        .role = PKI_NSM_LEAF,
    };
    nsm_leaf_clear(leaf);
    leaf->from_s = subject.not_before_s;
    leaf->to_s = subject.not_after_s;
    leaf->key = pki_key_new(NULL);
    if (leaf->key != NULL &&
        pki_issue(&leaf->der, &subject, leaf->key,
                  buffer_bytes(&identity->certs[NSM_CERT_INSTANCE]), identity->instance_key, NULL))
        return true;
    nsm_leaf_clear(leaf);
    return false;
}

bool nsm_document_sign(struct buffer *document, const struct nsm_leaf *leaf,
                       const struct attestation *claims, bool indefinite)
{
    BUFFER_AUTO header = {.limit = 64};
    BUFFER_AUTO payload = {.limit = ATTESTATION_DOCUMENT_MAX};
    BUFFER_AUTO to_be_signed = {.limit = ATTESTATION_DOCUMENT_MAX + 64};
    uint8_t signature[96];
    attestation_put(&payload, claims, indefinite);
    cose_put_protected(&header, COSE_ES384);
    cose_sign1_to_be_signed(&to_be_signed, buffer_bytes(&header), buffer_bytes(&payload));
    if (payload.failed || to_be_signed.failed ||
        !pki_sign_es384(leaf->key, buffer_bytes(&to_be_signed), signature))
        return false;
    cose_put_sign1(document, buffer_bytes(&header), buffer_bytes(&payload),
                   bytes_of(signature, sizeof signature));
    return !document->failed;
}
