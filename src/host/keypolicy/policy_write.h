/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing the policy of a KMS key for enclaves. Three statements:
 *
 *   Administration   the account may administer the key, but neither use it nor grant its use
 *   Provisioning     who may make wrapped session keys (if anybody is named)
 *   AttestedDecrypt  the enclave's role may decrypt, bound to the registers of its image
 */
#ifndef HOST_KEYPOLICY_POLICY_WRITE_H
#define HOST_KEYPOLICY_POLICY_WRITE_H

#include "host/keypolicy/registers.h"

#define POLICY_IMAGES_MAX    64
#define POLICY_INSTANCES_MAX 128
#define POLICY_VALUES_MAX    128 /* of one condition: the larger of these */

struct policy_image {
    const char *path; /* for messages */
    struct registers registers;
};

struct policy_plan {
    const char *partition;
    const char *account;           /* the key's */
    const char *role_arn;          /* of the enclave */
    const char *provisioner_arn;   /* NULL: no such statement */
    const char *const *provisions; /* what it may do; NULL-terminated */
    const struct policy_image *images;
    size_t image_count;  /* 0: nobody may decrypt yet */
    uint32_t selected;   /* bits 1, 2, 8: bind to these registers of the image besides PCR0 */
    const uint8_t *pcr3; /* NULL: not bound to the instance's role */
    const uint8_t (*pcr4)[PCR_SIZE]; /* the instances, any of which will do */
    size_t pcr4_count;               /* 0: not bound to instances */
    const char *const *context;      /* each has passed context_check */
    size_t context_count;
};

/*
 * Appends the policy in one line. One statement for all images where only PCR0 is taken of them,
 * for then a list of its values says what is meant. One for each where more is: conditions on two
 * keys are met independently, and two lists would let in one image's code under another's
 * certificate.
 */
void policy_write(const struct policy_plan *plan, struct buffer *out);

#endif
