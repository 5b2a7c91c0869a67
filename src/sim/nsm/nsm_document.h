/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated module's documents: the leaf that signs them, and the signing. */
#ifndef SIM_NSM_NSM_DOCUMENT_H
#define SIM_NSM_NSM_DOCUMENT_H

#include "formats/attestation.h"
#include "sim/nsm/nsm_identity.h"

struct nsm_leaf {
    struct pki_key *key; /* NULL: none yet */
    struct buffer der;
    int64_t from_s, to_s; /* its validity, seconds since 1970 */
};

void nsm_leaf_init(struct nsm_leaf *leaf);
void nsm_leaf_clear(struct nsm_leaf *leaf);

/*
 * A leaf that is valid now_s: the one there is, or a new key and certificate, for three hours from
 * now, when that one is about to expire or the clock was set back.
 */
MUST_USE bool nsm_leaf_ensure(struct nsm_leaf *leaf, const struct nsm_identity *identity,
                              const char *module_id, int64_t now_s);

/* Appends the COSE_Sign1 over claims, the payload's map definite or indefinite. */
MUST_USE bool nsm_document_sign(struct buffer *document, const struct nsm_leaf *leaf,
                                const struct attestation *claims, bool indefinite);

#endif
