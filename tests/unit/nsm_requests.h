/* SPDX-License-Identifier: Apache-2.0 */
/* The module's requests that enclaved itself has no use for: together with nsm.h all of them. */
#ifndef TESTS_UNIT_NSM_REQUESTS_H
#define TESTS_UNIT_NSM_REQUESTS_H

#include "enclave/nsm.h"

#define NSM_PCR_COUNT 32

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

#endif
