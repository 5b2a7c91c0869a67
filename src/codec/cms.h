/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a CMS envelope (RFC 5652, section 6) in the one shape that KMS gives
 * CiphertextForRecipient: BER with definite or indefinite lengths, one KeyTransRecipientInfo,
 * RSAES-OAEP with SHA-256 and MGF1-SHA-256 and no label, AES-256-CBC, no attributes. Everything
 * else is refused, with the part that differs in the cause.
 */
#ifndef CODEC_CMS_H
#define CODEC_CMS_H

#include "base/buffer.h"
#include "base/error.h"

#define CMS_WRAPPED_KEY_SIZE 256 /* what RSA-2048 makes of a key */
#define CMS_IV_SIZE          16

struct cms_envelope {
    struct bytes wrapped_key; /* views into the input */
    struct bytes iv;
};

/*
 * Appends the encrypted content to content, whose limit bounds it; chunks are joined. The views of
 * *out point into input. ERROR_ENVELOPE names the part that is not as expected.
 */
MUST_USE bool cms_parse(struct cms_envelope *out, struct buffer *content, struct bytes input,
                        struct error *err);

#endif
