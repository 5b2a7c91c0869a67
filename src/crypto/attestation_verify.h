/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Believing an attestation document: shape, root, chain, leaf, signature, in this order; the error
 * names the step that failed. Nothing of a document that fails is handed out. Not part of enclaved.
 */
#ifndef CRYPTO_ATTESTATION_VERIFY_H
#define CRYPTO_ATTESTATION_VERIFY_H

#include "codec/attestation.h"

/*
 * document: an untagged COSE_Sign1. root_der: the one root to trust (its DER; the cabundle's first
 * entry must equal it). at_ms: the time at which certificates must be valid, ms since 1970. On
 * success *out views into document. Errors: ERROR_FORMAT, ERROR_CERTIFICATE, ERROR_SIGNATURE.
 */
MUST_USE bool attestation_verify(struct attestation *out, struct bytes document,
                                 struct bytes root_der, int64_t at_ms, struct error *err);

#endif
