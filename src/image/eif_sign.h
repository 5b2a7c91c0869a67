/* SPDX-License-Identifier: Apache-2.0 */
/* Signing an image: a signature over PCR0, with a certificate that PCR8 then measures. */
#ifndef IMAGE_EIF_SIGN_H
#define IMAGE_EIF_SIGN_H

#include "image/eif_file.h"
#include "pki/ecdsa_sign.h"

/*
 * Copies the image to output (which may be path itself) with a new signature in place of any old
 * one; key NULL: without a signature. certificate_pem is stored unchanged. ERROR_FORMAT if the
 * image's layout or CRC is wrong, ERROR_CERTIFICATE if key does not belong to the certificate,
 * ERROR_USAGE if there is no signature to remove.
 */
MUST_USE bool eif_sign(const char *path, const char *output, const struct signing_key *key,
                       struct bytes certificate_pem, struct eif_measurements *out,
                       struct error *err);

/* Verifies a signature section's data for an image with this PCR0. ERROR_FORMAT, ERROR_CERTIFICATE,
 * ERROR_SIGNATURE. */
MUST_USE bool eif_signature_verify(struct bytes section, const uint8_t pcr0[SHA384_SIZE],
                                   struct error *err);

#endif
