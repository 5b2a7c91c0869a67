/* SPDX-License-Identifier: Apache-2.0 */
/* Signing an image: the register PCR0, under a certificate that PCR8 then measures. */
#ifndef IMAGE_EIF_SIGN_H
#define IMAGE_EIF_SIGN_H

#include "image/eif_file.h"
#include "pki/ecdsa_sign.h"

/*
 * Copies the image to output (which may be path itself) with a signature in place of any it had;
 * key NULL: without one. certificate_pem is stored as it is. ERROR_FORMAT if the image's layout or
 * CRC is wrong, ERROR_CERTIFICATE if the key is not the certificate's, ERROR_USAGE if a signature
 * is to be removed and there is none.
 */
MUST_USE bool eif_sign(const char *path, const char *output, const struct signing_key *key,
                       struct bytes certificate_pem, struct eif_measurements *out,
                       struct error *err);

/* What is wrong with a signature section's data, for an image whose PCR0 is given: ERROR_FORMAT,
 * ERROR_CERTIFICATE or ERROR_SIGNATURE. */
MUST_USE bool eif_signature_verify(struct bytes section, const uint8_t pcr0[SHA384_SIZE],
                                   struct error *err);

#endif
