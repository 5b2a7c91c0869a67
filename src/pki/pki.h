/* SPDX-License-Identifier: Apache-2.0 */
/*
 * P-384 keys and certificates for the simulators: the chain root → regional → zonal → instance →
 * leaf of the simulated NSM, shaped like AWS's, and the server certificate of the simulated KMS.
 */
#ifndef PKI_PKI_H
#define PKI_PKI_H

#include "base/buffer.h"
#include "base/error.h"

struct pki_key; /* an EC P-384 private key */

MUST_USE struct pki_key *pki_key_new(struct error *err);
MUST_USE struct pki_key *pki_key_from_pem(struct bytes pem, struct error *err);
/* Appends PKCS#8 PEM; out should be a secret buffer. */
MUST_USE bool pki_key_to_pem(const struct pki_key *key, struct buffer *out);
void pki_key_free(struct pki_key *key);

/* Appends the DER SubjectPublicKeyInfo. */
MUST_USE bool pki_key_spki(const struct pki_key *key, struct buffer *out);

/* Appends the signature of a SHA-384 digest in DER (RFC 3279, 2.2.3), as KMS answers it. */
MUST_USE bool pki_sign_digest(const struct pki_key *key, struct bytes digest, struct buffer *out);
/* Signs message with ES384: 96 bytes, r ‖ s. */
MUST_USE bool pki_sign_es384(const struct pki_key *key, struct bytes message, uint8_t out[96]);

enum pki_role { PKI_AUTHORITY, PKI_NSM_LEAF, PKI_TLS_SERVER };

struct pki_subject {
    const char *common_name;
    const char *organizational_unit; /* NULL: none */
    int64_t not_before_s;            /* seconds since 1970 */
    int64_t not_after_s;
    enum pki_role role;
    int path_length;               /* authorities only; -1: no limit */
    const char *const *host_names; /* TLS servers: subjectAltName DNS names, NULL-terminated */
};

/* Appends the DER of a certificate for key, signed by issuer_key. issuer_der empty: self-signed. */
MUST_USE bool pki_issue(struct buffer *out, const struct pki_subject *subject,
                        const struct pki_key *key, struct bytes issuer_der,
                        const struct pki_key *issuer_key, struct error *err);

/* Appends the certificate der as PEM. */
MUST_USE bool pki_der_to_pem(struct bytes der, struct buffer *out);
/* Appends the DER of the first certificate in pem. ERROR_CERTIFICATE. */
MUST_USE bool pki_pem_to_der(struct bytes pem, struct buffer *out, struct error *err);

#endif
