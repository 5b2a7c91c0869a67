/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the simulated KMS proves its identity in TLS: an authority of its own, kept in the store, and
 * a server certificate for the host names, issued anew at each start.
 */
#ifndef SIM_KMS_STORE_KMS_IDENTITY_H
#define SIM_KMS_STORE_KMS_IDENTITY_H

#include "sim/kms_store/kms_store.h"

struct kms_identity {
    struct buffer authority;   /* PEM; public */
    struct buffer certificate; /* PEM, then the authority's, then a terminating zero */
    struct buffer key;         /* PEM and a terminating zero; secret */
};

void kms_identity_init(struct kms_identity *identity);
void kms_identity_clear(struct kms_identity *identity);

/* host_names: NULL-terminated, at least one. */
MUST_USE bool kms_identity_load(struct kms_identity *identity, struct kms_store *store,
                                const char *const *host_names, struct error *err);

/* Writes the authority's certificate to path in one step. */
MUST_USE bool kms_identity_publish(const struct kms_identity *identity, const char *path,
                                   struct error *err);

#endif
