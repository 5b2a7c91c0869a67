/* SPDX-License-Identifier: Apache-2.0 */
/*
 * KMS's side of the envelope: CiphertextForRecipient as KMS encodes it, in BER with indefinite
 * lengths (see crypto/recipient.h). For the simulated KMS and for tests.
 */
#ifndef PKI_CMS_SEAL_H
#define PKI_CMS_SEAL_H

#include "base/buffer.h"
#include "base/error.h"

enum cms_content { CMS_CONSTRUCTED /* OCTET STRING chunks of 1000 */, CMS_PRIMITIVE };

/* Appends an envelope with plaintext for the RSA-2048 key in spki (DER). ERROR_CRYPTO: another kind
 * of key. */
MUST_USE bool cms_seal(struct buffer *out, struct bytes spki, struct bytes plaintext,
                       enum cms_content form, struct error *err);

#endif
