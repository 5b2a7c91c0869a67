/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated KMS as a whole, and the way of a request through it:
 *
 *     kms_server (HTTPS) → kms_dispatch (fault, authentication, operation by name, log)
 *         → kms_operations (limits, policy, store) → kms_blob, kms_recipient
 *                 → sts_dispatch (the same for STS) → sts_operations (roles, sessions) → sts_token
 */
#ifndef SIM_KMS_KMS_SERVICE_H
#define SIM_KMS_KMS_SERVICE_H

#include <pthread.h>

#include "base/clock.h"
#include "pki/cms_seal.h"
#include "sim/kms/kms_fault.h"
#include "sim/kms_store/kms_credentials.h"

#define KMS_BODY_MAX   (1u << 20) /* request body: a document of 262144 bytes in base64, and room */
#define KMS_ANSWER_MAX (1u << 20)

struct sts_roles;

struct kms_service {
    pthread_mutex_t lock; /* held while a request is served: the store takes one thread at a time */
    struct kms_store *store;
    const char *region;
    const char *account;
    struct watched_file credentials; /* path NULL: those that the store holds */
    struct sts_roles *roles;         /* NULL: nobody may assume one */
    struct kms_faults *faults;
    struct bytes nsm_root; /* DER */
    enum cms_content envelope;
    int64_t clock_offset_us; /* this KMS's clock minus the machine's */
};

/* The time by this KMS's clock, microseconds since 1970. */
static inline int64_t kms_now_us(const struct kms_service *service)
{
    return clock_wall_us() + service->clock_offset_us;
}

#endif
