/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifying an attestation document: shape, root, chain, leaf and signature, in this order. The
 * error names the step that failed. Nothing of a document that fails is returned.
 */
#ifndef PKI_ATTESTATION_VERIFY_H
#define PKI_ATTESTATION_VERIFY_H

#include "crypto/hash.h"
#include "formats/attestation.h"

/*
 * In place of a time: the document's own timestamp, for documents that were stored (a leaf is valid
 * for three hours). Success then means that the document was valid when it was made, not that it is
 * recent.
 */
#define ATTESTATION_OWN_TIME INT64_MIN

/* SHA-256 of the DER of AWS's root, CN=aws.nitro-enclaves (AWS Nitro Enclaves User Guide,
 * "Verifying the root of trust"; certificate valid 2019-10-28 to 2049-10-28). */
extern const uint8_t attestation_aws_root[SHA256_SIZE];

/*
 * document: an untagged COSE_Sign1. root_der: the DER of the one trusted root, which must equal the
 * first entry of the cabundle. at_ms: the time at which the certificates must be valid, ms since
 * 1970, or ATTESTATION_OWN_TIME. On success *out views into document. Errors: ERROR_FORMAT,
 * ERROR_CERTIFICATE, ERROR_SIGNATURE.
 */
MUST_USE bool attestation_verify(struct attestation *out, struct bytes document,
                                 struct bytes root_der, int64_t at_ms, struct error *err);

/* The same if only the SHA-256 of the root's DER is known. */
MUST_USE bool attestation_verify_by_fingerprint(struct attestation *out, struct bytes document,
                                                const uint8_t root_sha256[SHA256_SIZE],
                                                int64_t at_ms, struct error *err);

#endif
