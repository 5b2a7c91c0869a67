/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The payload of a Nitro attestation document: a CBOR map inside a COSE_Sign1. Source of the shape
 * and limits: aws-nitro-enclaves-nsm-api, docs/attestation_process.md. Parsing proves nothing:
 * pki/attestation_verify.h decides whether a document is genuine.
 */
#ifndef FORMATS_ATTESTATION_H
#define FORMATS_ATTESTATION_H

#include "base/buffer.h"
#include "base/error.h"

#define PCR_COUNT                 32
#define PCR_SIZE                  48 /* SHA-384 */
#define ATTESTATION_CABUNDLE_MAX  16
#define ATTESTATION_CERT_MAX      1024
#define ATTESTATION_FIELD_MAX     1024 /* user_data, nonce, public_key: what a verifier accepts */
#define ATTESTATION_DOCUMENT_MAX  16384
#define ATTESTATION_MODULE_ID_MAX 256

/* Views into the payload. An absent optional (CBOR null) has present false. */
struct attestation_optional {
    bool present;
    struct bytes value;
};

struct attestation {
    struct bytes module_id;
    uint64_t timestamp_ms; /* since 1970, UTC */
    uint32_t pcr_present;  /* bit n: register n is listed */
    struct bytes pcr[PCR_COUNT];
    struct bytes certificate;                        /* DER, the leaf */
    struct bytes cabundle[ATTESTATION_CABUNDLE_MAX]; /* DER, root first */
    size_t cabundle_count;
    struct attestation_optional public_key;
    struct attestation_optional user_data;
    struct attestation_optional nonce;
};

/*
 * Reads a payload: maps of definite or indefinite length, members in any order, each once. The
 * views of *out point into payload. ERROR_FORMAT names the member that is wrong.
 */
MUST_USE bool attestation_parse(struct attestation *out, struct bytes payload, struct error *err);

/* Appends the payload in the order of real documents, the outer map definite or indefinite. */
void attestation_put(struct buffer *out, const struct attestation *a, bool indefinite);

#endif
