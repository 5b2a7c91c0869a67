/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The KMS client: Decrypt with an attested recipient (AWS KMS API reference, Decrypt and
 * RecipientInfo), over TLS that ends here, through a raw relay on the host.
 */
#ifndef ENCLAVE_KMS_H
#define ENCLAVE_KMS_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config.h"
#include "config/kms_wrapped.h"
#include "crypto/aead.h"
#include "crypto/recipient.h"
#include "crypto/tls.h"
#include "enclave/nsm.h"
#include "net/deadline.h"

#define KMS_EXPIRATION_MAX 40
#define KMS_DOCUMENT_MAX   262144
#define KMS_BODY_MAX       65536 /* longest answer accepted, bytes */

struct kms_credentials {
    char access_key_id[129];
    char secret_access_key[257];
    char session_token[4097];            /* empty: none */
    char expiration[KMS_EXPIRATION_MAX]; /* as it was delivered, for health; empty: unknown */
};

/* With what the session key is obtained: what a start or a configure brings. */
struct initial_secrets {
    struct kms_credentials credentials; /* access_key_id empty: none */
    struct buffer wrapped;              /* a wrapped TSK; empty: none */
};

/* Whether id and key are present, and all three can be put into a header: visible ASCII. */
bool kms_credentials_valid(const struct kms_credentials *credentials);

/* What KMS said when it said no; for the log and the answer to configure. Printable ASCII. */
struct kms_refusal {
    unsigned http_status; /* 0: there was none */
    char type[128];
    char message[512];
};

struct kms_call {
    const struct config *config; /* key, context, endpoint, relay, attempt_ms: what is pinned */
    const struct tls_roots *roots;
    const struct kms_credentials *credentials;
    struct bytes wrapped;
    const struct recipient *recipient;
    struct nsm *nsm;
    int stop_fd;              /* readable once to give up; -1: none */
    struct deadline deadline; /* set by kms_unwrap_tsk */
};

/*
 * Unwraps a TSK: a fresh attestation document over the recipient's key, Decrypt under the pinned
 * key and context, KeyId compared, envelope opened, 32 bytes. One attempt; a failure that may pass
 * is for enclavectl to repeat (src/host/client/delivery.c). tsk is secret memory, zeroed on
 * failure.
 *
 * Errors: ERROR_NSM, ERROR_RELAY, ERROR_TLS, ERROR_KMS_DENIED (and *refusal), ERROR_KMS_THROTTLED,
 * ERROR_KMS_UNAVAILABLE, ERROR_KMS_RESPONSE, ERROR_KEY_MISMATCH, ERROR_ENVELOPE, ERROR_TSK_LENGTH,
 * ERROR_CREDENTIALS_EXPIRED, ERROR_SHUTTING_DOWN, ERROR_DEADLINE.
 */
MUST_USE bool kms_unwrap_tsk(struct kms_call *call, uint8_t tsk[AEAD_KEY_SIZE],
                             struct kms_refusal *refusal, struct error *err);

#endif
