/* SPDX-License-Identifier: Apache-2.0 */
/* The form of a request to STS: name=value&… (application/x-www-form-urlencoded). */
#ifndef SIM_KMS_STS_FORM_H
#define SIM_KMS_STS_FORM_H

#include "sim/kms/kms_request.h"

#define STS_FIELDS_MAX 32

struct sts_field {
    struct bytes name, value; /* decoded; views into text */
};

struct sts_form {
    struct buffer text; /* secret */
    struct sts_field fields[STS_FIELDS_MAX];
    size_t count;
};

void sts_form_init(struct sts_form *form);
void sts_form_clear(struct sts_form *form);

/* Reads a body. A name that occurs twice, an escape that is none and a zero byte are refused. */
MUST_USE bool sts_form_read(struct sts_form *form, struct bytes body, struct kms_failure *failure);

/* The value of a field; at is NULL if there is none. */
struct bytes sts_form_value(const struct sts_form *form, const char *name);

#endif
