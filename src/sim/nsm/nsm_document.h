/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated module's documents: the leaf certificate that signs them, and the signing. */
#ifndef SIM_NSM_NSM_DOCUMENT_H
#define SIM_NSM_NSM_DOCUMENT_H

#include "formats/attestation.h"
#include "sim/nsm/nsm_identity.h"

struct nsm_leaf {
    struct pki_key *key; /* NULL: none yet */
    struct buffer der;
    int64_t from_s, to_s; /* valid from and to, seconds since 1970 */
};

void nsm_leaf_init(struct nsm_leaf *leaf);
void nsm_leaf_clear(struct nsm_leaf *leaf);

/*
 * Makes sure that leaf is valid at now_s. If it is about to expire, or the clock was set back, it
 * gets a new key and certificate, valid for three hours from now_s.
 */
MUST_USE bool nsm_leaf_ensure(struct nsm_leaf *leaf, const struct nsm_identity *identity,
                              const char *module_id, int64_t now_s);

/* Appends the COSE_Sign1 over claims; indefinite: the payload is a map of indefinite length. */
MUST_USE bool nsm_document_sign(struct buffer *document, const struct nsm_leaf *leaf,
                                const struct attestation *claims, bool indefinite);

#endif
