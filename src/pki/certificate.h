/* SPDX-License-Identifier: Apache-2.0 */
/* What a certificate says, to show it. No chain is checked. */
#ifndef PKI_CERTIFICATE_H
#define PKI_CERTIFICATE_H

#include "base/buffer.h"
#include "base/error.h"

struct certificate;

/* The first certificate in pem; everything else is ignored. ERROR_CERTIFICATE. */
MUST_USE struct certificate *certificate_from_pem(struct bytes pem, struct error *err);
void certificate_free(struct certificate *certificate);

/* Whether there is a private key in the text, too, encrypted or not. */
bool certificate_pem_has_key(struct bytes pem);

/* Each appends to out; the caller checks out->failed. */
void certificate_der(const struct certificate *certificate, struct buffer *out);
void certificate_spki(const struct certificate *certificate, struct buffer *out); /* DER */
/* "CN=…,O=…" (RFC 2253); everything but printable ASCII is escaped. */
void certificate_subject(const struct certificate *certificate, struct buffer *out);
void certificate_issuer(const struct certificate *certificate, struct buffer *out);
/* {"commonName": "…", …}, as aws-nitro-enclaves-image-format shows an issuer. */
void certificate_issuer_json(const struct certificate *certificate, struct buffer *out);
void certificate_subject_json(const struct certificate *certificate, struct buffer *out);
/* "Nov 25 10:00:00 2026 GMT"; "not a date: " and the text, where it is none. */
void certificate_not_before(const struct certificate *certificate, struct buffer *out);
void certificate_not_after(const struct certificate *certificate, struct buffer *out);
/* Seconds since 1970. False if one of the dates cannot be read. */
MUST_USE bool certificate_dates(const struct certificate *certificate, int64_t *not_before_s,
                                int64_t *not_after_s);
/* Whether it is valid in that second; its two dates are. ERROR_CERTIFICATE says what is wrong. */
MUST_USE bool certificate_valid_at(const struct certificate *certificate, int64_t at_s,
                                   struct error *err);
/* The issuer's signature: its algorithm, such as "ecdsa-with-SHA384", and its bytes, "0A:1B:…" */
void certificate_algorithm(const struct certificate *certificate, struct buffer *out);
void certificate_signature(const struct certificate *certificate, struct buffer *out);

#endif
