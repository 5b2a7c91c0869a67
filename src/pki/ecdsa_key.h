/* SPDX-License-Identifier: Apache-2.0 */
/* ECDSA with OpenSSL's keys, for the files of this folder. */
#ifndef PKI_ECDSA_KEY_H
#define PKI_ECDSA_KEY_H

#include <openssl/evp.h>

#include "base/buffer.h"

struct ecdsa_algorithm {
    int64_t id;        /* enum cose_algorithm */
    const char *name;  /* of the curve, for people */
    const char *group; /* the same, by OpenSSL's name */
    const EVP_MD *(*hash)(void);
    size_t width; /* of r and of s, bytes */
};

/* The algorithm for the key's curve; NULL if there is none. */
const struct ecdsa_algorithm *ecdsa_of_key(const EVP_PKEY *key);
bool ecdsa_is_p384(const EVP_PKEY *key);

/* Appends a signature in DER as r ‖ s, each of width bytes. */
MUST_USE bool ecdsa_from_der(struct bytes der, size_t width, struct buffer *out);

/* Appends a signature of message as r ‖ s, by the algorithm for the key's curve. */
MUST_USE bool ecdsa_sign_with(EVP_PKEY *key, struct bytes message, struct buffer *out);

#endif
