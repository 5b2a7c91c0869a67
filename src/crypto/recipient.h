/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RSA-2048 key of this boot, to which KMS encrypts (RecipientInfo in the KMS API reference),
 * and the opening of its CMS envelopes (RFC 5652 in BER; RSAES-OAEP with SHA-256; AES-256-CBC). The
 * private key never leaves this room.
 */
#ifndef CRYPTO_RECIPIENT_H
#define CRYPTO_RECIPIENT_H

#include "base/buffer.h"
#include "base/error.h"

#define RECIPIENT_SPKI_SIZE    294  /* DER SubjectPublicKeyInfo of an RSA-2048 key */
#define RECIPIENT_ENVELOPE_MAX 6144 /* KMS's limit on CiphertextForRecipient, bytes */
#define RECIPIENT_SECRET_MAX   4096 /* KMS's limit on a plaintext, bytes */

struct evp_pkey_st;
struct recipient; /* may be used by one thread at a time */

/* Generates the key, which takes 0.2 s on average and up to a second. NULL and *err on failure. */
MUST_USE struct recipient *recipient_new(struct error *err);
/* Takes ownership of a given key, OpenSSL's EVP_PKEY, also on failure; NULL fails. */
MUST_USE struct recipient *recipient_take(struct evp_pkey_st *key, struct error *err);
void recipient_free(struct recipient *recipient);

/* The public key, a view that is valid as long as the recipient. */
struct bytes recipient_spki(const struct recipient *recipient);

/*
 * Opens an envelope into out (reset first; should be a secret buffer). Requires exactly what KMS
 * sends: EnvelopedData with one KeyTransRecipientInfo, OAEP with SHA-256 and MGF1-SHA-256, AES-256-
 * CBC, content constructed or primitive. ERROR_ENVELOPE names the part that is wrong, but not why a
 * decryption failed; ERROR_MEMORY. out is empty on failure.
 */
MUST_USE bool recipient_open(const struct recipient *recipient, struct bytes envelope,
                             struct buffer *out, struct error *err);

#endif
