/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the policy of a KMS key for enclaves. It has three statements:
 *
 *   Administration   the account may administer the key, but neither use it nor grant its use
 *   Provisioning     a principal may make wrapped session keys (if one is named)
 *   AttestedDecrypt  the enclave's role may decrypt if the registers are those of its image
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
    const char *const *provisions; /* its actions; NULL-terminated */
    const struct policy_image *images;
    size_t image_count;              /* 0: nobody may decrypt yet */
    uint32_t selected;               /* bits 1, 2, 8: also bind to these registers of the image */
    const uint8_t *pcr3;             /* NULL: not bound to the instance's role */
    const uint8_t (*pcr4)[PCR_SIZE]; /* of the instances: any of them */
    size_t pcr4_count;               /* 0: not bound to instances */
    const char *const *context;      /* each has passed context_check */
    size_t context_count;
};

/*
 * Appends the policy in one line. If only PCR0 of the images counts, one statement lists all its
 * values. If more registers count, each image has a statement of its own: two lists would be met
 * independently and would accept the code of one image with the certificate of another.
 */
void policy_write(const struct policy_plan *plan, struct buffer *out);

#endif
