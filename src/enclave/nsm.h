/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nitro Security Module: what enclaved asks of it. Formats and limits: Linux
 * include/uapi/linux/nsm.h, aws-nitro-enclaves-nsm-api src/api; the CBOR of each message stands
 * above its function in nsm.c.
 */
#ifndef ENCLAVE_NSM_H
#define ENCLAVE_NSM_H

#include "base/buffer.h"
#include "base/error.h"

#define NSM_REQUEST_MAX    0x1000 /* bytes; the driver refuses more */
#define NSM_RESPONSE_MAX   0x3000
#define NSM_RANDOM_MAX     256 /* bytes one GetRandom answers at most */
#define NSM_USER_DATA_MAX  512 /* user_data and nonce of a document, bytes */
#define NSM_PUBLIC_KEY_MAX 1024

/*
 * How a message reaches the module: the ioctl of /dev/nsm, or in enclaved-dev a socket. exchange
 * sends request and receives at most NSM_RESPONSE_MAX bytes into response. One at a time.
 */
struct nsm_transport {
    bool (*exchange)(void *context, struct bytes request, uint8_t *response, size_t *response_len,
                     struct error *err);
    void (*close)(void *context);
    void *context;
};

struct nsm {
    struct nsm_transport transport;
};

/* Opens path (/dev/nsm). ERROR_NSM. */
MUST_USE bool nsm_open_device(struct nsm *nsm, const char *path, struct error *err);
void nsm_close(struct nsm *nsm);

/* Every failure is ERROR_NSM; the module's own error name is in the cause. */
/* Fills out whole, in as many requests as it takes; len at most 64 KiB. */
MUST_USE bool nsm_get_random(struct nsm *nsm, uint8_t *out, size_t len, struct error *err);

#define NSM_PCR_SIZE 48 /* SHA-384 */

/* Reads register index. */
MUST_USE bool nsm_read_pcr(struct nsm *nsm, uint16_t index, uint8_t value[NSM_PCR_SIZE],
                           struct error *err);

/* What a document states; a field whose at is NULL is left out (CBOR null). */
struct nsm_claims {
    struct bytes user_data;
    struct bytes nonce;
    struct bytes public_key;
};

/* Appends the attestation document. */
MUST_USE bool nsm_attest(struct nsm *nsm, const struct nsm_claims *claims, struct buffer *document,
                         struct error *err);

#endif
