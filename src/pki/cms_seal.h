/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS's side of the envelope: CiphertextForRecipient as KMS encodes it, BER with indefinite lengths
 * (see recipient.h). For the simulator and tests; not part of enclaved.
 */
#ifndef PKI_CMS_SEAL_H
#define PKI_CMS_SEAL_H

#include "base/buffer.h"
#include "base/error.h"

enum cms_content { CMS_CONSTRUCTED /* OCTET STRING chunks of 1000 */, CMS_PRIMITIVE };

/* Appends an envelope of plaintext to the RSA-2048 key in spki (DER). ERROR_CRYPTO on any other
 * key. */
MUST_USE bool cms_seal(struct buffer *out, struct bytes spki, struct bytes plaintext,
                       enum cms_content form, struct error *err);

#endif
