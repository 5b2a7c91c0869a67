/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session: how enclaved comes by its key. One thread of its own makes this boot's RSA key,
 * holds the credentials and the wrapped TSK, talks to the NSM and KMS, and serves `configure`. The
 * server never waits for it.
 */
#ifndef ENCLAVE_SESSION_H
#define ENCLAVE_SESSION_H

#include "config/config.h"
#include "enclave/job.h"
#include "enclave/keyring.h"
#include "enclave/kms.h"
#include "enclave/nsm.h"

struct session;

enum session_state { SESSION_STARTING, SESSION_AWAITING, SESSION_READY };
const char *session_state_name(enum session_state state);

/*
 * The registers that a key policy may name, read once: image, kernel, application, role, instance,
 * signer. What the policy is compared with when KMS refuses.
 */
#define SESSION_PCRS 6
extern const uint8_t session_pcr_index[SESSION_PCRS];

struct measurements {
    bool known; /* the module reported them */
    uint8_t pcr[SESSION_PCRS][NSM_PCR_SIZE];
};

/* PCR0, 1 and 2 are zero: the enclave runs in debug mode. */
bool measurements_are_debug(const struct measurements *measurements);

struct session_status {
    struct measurements measurements;
    enum session_state state;
    bool has_credentials;
    char credentials_expire[KMS_EXPIRATION_MAX]; /* as it was delivered; empty: not known */
    struct error last_error;    /* why there is no key, or why the last configure failed */
    struct kms_refusal refusal; /* what KMS said about it */
};

/*
 * Reads the registers and starts the thread, which takes secrets over and wipes them. config, ring
 * and roots must outlive the session; nsm is the thread's alone from here on; answers to configure
 * go to done. NULL and *err if no thread or memory can be had.
 */
MUST_USE struct session *session_start(const struct config *config, const struct tls_roots *roots,
                                       struct keyring *ring, struct nsm *nsm,
                                       struct initial_secrets *secrets, struct job_queue *done,
                                       struct error *err);

#define SESSION_WAITING_MAX 16 /* `configure` requests that wait while one is served */

/* Hands over a `configure` request with its index; it comes back through done with its answer
 * (ERROR_BUSY at once if too many wait). */
void session_configure(struct session *session, struct job *job);

void session_get_status(struct session *session, struct session_status *out);

/* Gives up what it is doing, answers what is queued, ends the thread, wipes. */
void session_stop(struct session *session);

#endif
