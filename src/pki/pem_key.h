/* SPDX-License-Identifier: Apache-2.0 */
/* Private keys in PEM, for the files of this folder. */
#ifndef PKI_PEM_KEY_H
#define PKI_PEM_KEY_H

#include <limits.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/bytes.h"

/* Refuses an encrypted PEM; OpenSSL would ask for its passphrase on the terminal. */
static inline int pem_no_passphrase(char *at, int size, int writing, void *context)
{
    (void)at;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

/* The key, which the caller owns, or NULL. */
static inline EVP_PKEY *pem_private_key(struct bytes pem)
{
    BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key =
        bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, pem_no_passphrase, NULL);
    BIO_free(bio);
    return key;
}

#endif
