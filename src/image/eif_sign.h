/* SPDX-License-Identifier: Apache-2.0 */
/* Signing an image: a signature over PCR0, with a certificate that PCR8 then measures. */
#ifndef IMAGE_EIF_SIGN_H
#define IMAGE_EIF_SIGN_H

#include "image/eif_file.h"
#include "pki/ecdsa.h"

/* An image that is to be signed, and what its signature is over. */
struct eif_signing {
    struct eif_file file;
    struct bytes certificate_pem;      /* the caller's; empty: there is none */
    int64_t algorithm;                 /* enum cose_algorithm */
    struct buffer spki;                /* DER, of the certificate's key */
    struct eif_measurements registers; /* without a signature */
    struct buffer header, payload;     /* of the COSE_Sign1 */
    struct buffer message;             /* its Sig_structure (RFC 9052, 4.4), which is signed */
    struct buffer digest;              /* of message, by the hash of the algorithm */
};

/*
 * Opens and measures the image at path and makes up what is to be signed: PCR0, without whatever
 * signature there is. The curve of the certificate's key decides on the algorithm; without a
 * certificate it is ES384. ERROR_FORMAT if the image's layout or CRC is wrong, ERROR_CERTIFICATE if
 * the certificate cannot be read or its key is of no such curve. To be closed in any case.
 */
MUST_USE bool eif_signing_open(struct eif_signing *out, const char *path,
                               struct bytes certificate_pem, struct error *err);
void eif_signing_close(struct eif_signing *signing);

/*
 * Copies the image to output (which may be its own path) with the given signature of the message,
 * r ‖ s or DER, in place of any old one. certificate_pem is stored unchanged. Nothing is written
 * unless the signature verifies under the certificate: ERROR_SIGNATURE. ERROR_FORMAT if the image
 * is no longer what eif_signing_open measured.
 */
MUST_USE bool eif_signing_finish(struct eif_signing *signing, struct bytes signature,
                                 const char *output, struct eif_measurements *out,
                                 struct error *err);

/* Copies the image to output without its signature. ERROR_USAGE if it has none. */
MUST_USE bool eif_unsign(const char *path, const char *output, struct eif_measurements *out,
                         struct error *err);

/* Verifies a signature section's data for an image with this PCR0. ERROR_FORMAT, ERROR_CERTIFICATE,
 * ERROR_SIGNATURE. */
MUST_USE bool eif_signature_verify(struct bytes section, const uint8_t pcr0[SHA384_SIZE],
                                   struct error *err);

#endif
