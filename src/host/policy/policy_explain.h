/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explains the decision of a key policy: every statement in order, each of its elements with the
 * wanted and the actual value, then the reasons for the result. As text, or as members of JSON.
 */
#ifndef HOST_POLICY_POLICY_EXPLAIN_H
#define HOST_POLICY_POLICY_EXPLAIN_H

#include "codec/json_writer.h"
#include "host/keypolicy/policy_question.h"

#define POLICY_EXPLANATION_MAX (16u << 20) /* bytes */

struct policy_explainer {
    /* set by the caller */
    bool json;
    bool colour;           /* of text */
    const char *unknown;   /* why a register may be unknown, such as "not known of an image" */
    struct buffer *out;    /* of text */
    struct json_writer *w; /* of JSON: within the array of statements */
    struct buffer
        *reasons; /* gets a line for each statement that matters; failed: no memory, or too long */

    /* of the current statement */
    struct policy_cursor cursor;
    bool open;
    bool matches;
    bool deny;
    bool attested;                /* has a condition on a register */
    uint32_t same, other, unheld; /* registers: condition met, not met, value unknown */
    char name[256];
    struct buffer lines;   /* its elements, as text */
    struct buffer failing; /* failing conditions on anything but registers */
};

void policy_explainer_init(struct policy_explainer *e);
void policy_explainer_clear(struct policy_explainer *e);

/* Evaluates the policy and explains the result. */
enum policy_effect policy_explain_all(struct policy_explainer *e, const struct policy *policy,
                                      const struct policy_question *question);

#endif
