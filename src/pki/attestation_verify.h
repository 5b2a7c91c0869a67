/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Believing an attestation document: shape, root, chain, leaf, signature, in this order; the error
 * names the step that failed. Nothing of a document that fails is handed out. Not part of enclaved.
 */
#ifndef PKI_ATTESTATION_VERIFY_H
#define PKI_ATTESTATION_VERIFY_H

#include "crypto/hash.h"
#include "formats/attestation.h"

/*
 * In place of a time: the document's own timestamp, for documents that were stored (a leaf lives
 * three hours). It says that the document was good when it was made, not that it is fresh.
 */
#define ATTESTATION_OWN_TIME INT64_MIN

/* SHA-256 of the DER of AWS's root, CN=aws.nitro-enclaves (AWS Nitro Enclaves User Guide,
 * "Verifying the root of trust"; certificate valid 2019-10-28 to 2049-10-28). */
extern const uint8_t attestation_aws_root[SHA256_SIZE];

/*
 * document: an untagged COSE_Sign1. root_der: the one root to trust (its DER; the cabundle's first
 * entry must equal it). at_ms: the time at which certificates must be valid, ms since 1970, or
 * ATTESTATION_OWN_TIME. On success *out views into document. Errors: ERROR_FORMAT,
 * ERROR_CERTIFICATE, ERROR_SIGNATURE.
 */
MUST_USE bool attestation_verify(struct attestation *out, struct bytes document,
                                 struct bytes root_der, int64_t at_ms, struct error *err);

/* The same where of the root only the SHA-256 of its DER is known. */
MUST_USE bool attestation_verify_by_fingerprint(struct attestation *out, struct bytes document,
                                                const uint8_t root_sha256[SHA256_SIZE],
                                                int64_t at_ms, struct error *err);

#endif
