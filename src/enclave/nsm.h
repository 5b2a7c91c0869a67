/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Nitro Security Module: its complete request set. Formats and limits: Linux
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
#define NSM_PCR_COUNT      32
#define NSM_PCR_SIZE       48
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

/*
 * Opens path (/dev/nsm). ERROR_NSM tells the cases apart: no such device (not in an enclave, or the
 * driver is missing), no permission, and names the remedy.
 */
MUST_USE bool nsm_open_device(struct nsm *nsm, const char *path, struct error *err);
void nsm_close(struct nsm *nsm);

struct nsm_description {
    uint16_t version_major, version_minor, version_patch;
    char module_id[128];
    uint16_t max_pcrs;
    uint32_t locked_pcrs; /* bit n: register n is locked */
    char digest[16];
};

/* Every failure is ERROR_NSM; the module's own error name is in the cause. */
MUST_USE bool nsm_describe(struct nsm *nsm, struct nsm_description *out, struct error *err);
MUST_USE bool nsm_describe_pcr(struct nsm *nsm, uint16_t index, bool *locked,
                               uint8_t value[NSM_PCR_SIZE], struct error *err);
MUST_USE bool nsm_extend_pcr(struct nsm *nsm, uint16_t index, struct bytes data,
                             uint8_t value[NSM_PCR_SIZE], struct error *err);
MUST_USE bool nsm_lock_pcr(struct nsm *nsm, uint16_t index, struct error *err);
/* Locks registers 0 <= i < range. */
MUST_USE bool nsm_lock_pcrs(struct nsm *nsm, uint16_t range, struct error *err);
/* Fills out whole, in as many requests as it takes; len at most 64 KiB. */
MUST_USE bool nsm_get_random(struct nsm *nsm, uint8_t *out, size_t len, struct error *err);

/* What a document shall state; a field whose at is NULL is left out (CBOR null). */
struct nsm_claims {
    struct bytes user_data;
    struct bytes nonce;
    struct bytes public_key;
};

/* Appends the attestation document. */
MUST_USE bool nsm_attest(struct nsm *nsm, const struct nsm_claims *claims, struct buffer *document,
                         struct error *err);

#endif
