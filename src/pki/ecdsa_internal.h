/* SPDX-License-Identifier: Apache-2.0 */
/* The three algorithms, which verifying and signing share. For nobody else. */
#ifndef PKI_ECDSA_INTERNAL_H
#define PKI_ECDSA_INTERNAL_H

#include <openssl/evp.h>

#include "base/bytes.h"

struct ecdsa_algorithm {
    int64_t id;        /* enum cose_algorithm */
    const char *group; /* the curve, by OpenSSL's name */
    const EVP_MD *(*hash)(void);
    size_t width; /* of r and of s */
};

/* The one that goes with the key's curve; NULL if there is none. */
const struct ecdsa_algorithm *ecdsa_of_key(const EVP_PKEY *key);

#endif
