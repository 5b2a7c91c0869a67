/* SPDX-License-Identifier: Apache-2.0 */
/*
 * COSE_Sign1 (RFC 9052, section 4.2) as Nitro uses it: array(4) of protected header, unprotected
 * header, payload and signature. Attestation documents and EIF signatures are untagged; the caller
 * says whether tag 18 is accepted.
 */
#ifndef FORMATS_COSE_H
#define FORMATS_COSE_H

#include "base/buffer.h"
#include "base/error.h"

enum cose_algorithm { COSE_ES256 = -7, COSE_ES384 = -35, COSE_ES512 = -36 };

/* Views into the parsed input. */
struct cose_sign1 {
    struct bytes protected_header;   /* the serialized map, as signed */
    struct bytes unprotected_header; /* the map's encoding, which is not signed */
    struct bytes payload;
    struct bytes signature; /* r ‖ s */
    int64_t algorithm;      /* label 1 of the protected header */
};

enum cose_tag { COSE_UNTAGGED, COSE_TAGGED, COSE_TAG_OPTIONAL };

/* Checks the shape and verifies nothing. ERROR_FORMAT names the part that is wrong. */
MUST_USE bool cose_sign1_parse(struct cose_sign1 *out, struct bytes input, enum cose_tag tag,
                               struct error *err);

/* Appends Sig_structure, ["Signature1", protected, h'', payload]: the bytes that are signed. */
void cose_sign1_to_be_signed(struct buffer *out, struct bytes protected_header,
                             struct bytes payload);

/* Appends the protected header {1: algorithm}. */
void cose_put_protected(struct buffer *out, enum cose_algorithm algorithm);

/* Appends a whole untagged COSE_Sign1 with an empty unprotected header. */
void cose_put_sign1(struct buffer *out, struct bytes protected_header, struct bytes payload,
                    struct bytes signature);

#endif
