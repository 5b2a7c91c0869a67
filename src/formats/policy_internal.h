/* SPDX-License-Identifier: Apache-2.0 */
/* A parsed policy, which policy_parse.c builds and policy_evaluate.c reads. Not for other files. */
#ifndef FORMATS_POLICY_INTERNAL_H
#define FORMATS_POLICY_INTERNAL_H

#include "formats/arn.h"
#include "formats/policy.h"

#define POLICY_LABEL_SIZE 32 /* "statement 16384" and a terminator */

enum policy_comparison {
    POLICY_EQUALS,
    POLICY_EQUALS_IGNORE_CASE,
    POLICY_LIKE,
    POLICY_BOOL,
    POLICY_NULL,
};

struct policy_list {
    const struct bytes *values; /* at least one */
    size_t count;
};

struct policy_condition {
    struct bytes operator; /* as written */
    enum policy_comparison comparison;
    bool negative;  /* StringNot… */
    bool if_exists; /* …IfExists */
    struct bytes key;
    struct policy_list values;
};

struct policy_statement {
    char label[POLICY_LABEL_SIZE]; /* "statement" and its number, for one without a Sid */
    struct bytes sid;              /* empty if it has none */
    bool deny;
    bool not_action;
    struct policy_list principals;
    struct policy_list actions;
    struct policy_list resources;
    const struct policy_condition *conditions;
    size_t condition_count;
};

struct policy {
    struct buffer strings; /* what all views of a policy point into */
    struct bytes *values;
    struct policy_condition *conditions;
    struct policy_statement *statements;
    size_t statement_count;
};

#endif
