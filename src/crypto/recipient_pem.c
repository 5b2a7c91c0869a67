/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/recipient_pem.h"

#include <limits.h>

#include <openssl/evp.h>
#include <openssl/pem.h>

/* An encrypted PEM is refused: OpenSSL would otherwise ask on the terminal. */
static int no_passphrase(char *at, int size, int writing, void *context)
{
    (void)at;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

struct recipient *recipient_from_pem(struct bytes pem, struct error *err)
{
    BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    BIO_free(bio);
    return recipient_take(key, err);
}
