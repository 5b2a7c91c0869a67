/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The identity of the simulated module: an instance under a chain root → regional → zonal →
 * instance, with the shape and the names of AWS's, but in the organization enclave-sim. The leaf
 * that signs documents belongs to the engine (nsm_engine.h): it is valid for three hours.
 */
#ifndef SIM_NSM_NSM_IDENTITY_H
#define SIM_NSM_NSM_IDENTITY_H

#include "base/buffer.h"
#include "base/error.h"
#include "pki/pki.h"

#define NSM_REGION              "us-east-1"
#define NSM_ORGANIZATIONAL_UNIT "simulated NSM"
#define NSM_INSTANCE_ID_SIZE    20 /* i-, 17 hex digits and a terminator */

enum nsm_certificate {
    NSM_CERT_ROOT,
    NSM_CERT_REGIONAL,
    NSM_CERT_ZONAL,
    NSM_CERT_INSTANCE,
    NSM_CERT_COUNT,
};

struct nsm_identity {
    char instance_id[NSM_INSTANCE_ID_SIZE];
    struct pki_key *root_key;
    struct pki_key *instance_key;
    struct buffer certs[NSM_CERT_COUNT]; /* DER, in the order of a document's cabundle */
};

/* Makes keys and certificates, valid for 20 years from now_s (seconds since 1970). */
MUST_USE bool nsm_identity_new(struct nsm_identity *identity, int64_t now_s, struct error *err);

/*
 * Reads what nsm_identity_save wrote into folder. If there is no identity yet, *found is false and
 * *identity is zeroed. An identity that cannot be read is an error; it is never replaced.
 */
MUST_USE bool nsm_identity_load(struct nsm_identity *identity, const char *folder, bool *found,
                                struct error *err);

/* Writes identity into folder (made with mode 0700 if missing), each file with mode 0600. */
MUST_USE bool nsm_identity_save(const struct nsm_identity *identity, const char *folder,
                                struct error *err);

/* Safe on a zeroed struct. */
void nsm_identity_clear(struct nsm_identity *identity);

#endif
