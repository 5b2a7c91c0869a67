/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signature section's bytes: CBOR
 *
 *     [{"signing_certificate": [u8 …], "signature": [u8 …]}]
 *
 * with arrays of integers in place of byte strings, as Rust's serde writes a Vec<u8>. The
 * certificate is PEM; the signature is an untagged COSE_Sign1 whose payload is
 *
 *     {"register_index": 0, "register_value": [48 integers]}
 *
 * Format: aws-nitro-enclaves-image-format src/defs/mod.rs (PcrSignature, PcrInfo), src/utils.
 */
#ifndef IMAGE_EIF_SIGNATURE_H
#define IMAGE_EIF_SIGNATURE_H

#include "base/buffer.h"
#include "base/error.h"
#include "pki/sha384.h"

/* Longest signature section, bytes. A byte of PEM or COSE takes up to two. */
#define EIF_SIGNATURE_MAX 65536

struct eif_signature {
    struct buffer certificate; /* PEM, as the signer received it */
    struct buffer cose;        /* COSE_Sign1 */
};

/* Parses a section into out and replaces what out held; verifies nothing. ERROR_FORMAT names the
 * part that is wrong. */
MUST_USE bool eif_signature_parse(struct eif_signature *out, struct bytes section,
                                  struct error *err);
/* Safe on a zeroed struct. */
void eif_signature_clear(struct eif_signature *signature);

/* Appends a section's data. */
void eif_signature_put(struct buffer *out, struct bytes certificate_pem, struct bytes cose);

/* The payload that is signed: parses it (ERROR_FORMAT), appends it. */
MUST_USE bool eif_payload_parse(struct bytes payload, uint64_t *index, uint8_t value[SHA384_SIZE],
                                struct error *err);
void eif_payload_put(struct buffer *out, uint64_t index, const uint8_t value[SHA384_SIZE]);

#endif
