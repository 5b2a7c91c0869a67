/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explaining a decision by a key policy: every statement in order, every element of it with what
 * was wanted and what there was, then why it came out as it did. As text, or as members of JSON.
 */
#ifndef HOST_POLICY_POLICY_EXPLAIN_H
#define HOST_POLICY_POLICY_EXPLAIN_H

#include "codec/json_writer.h"
#include "host/keypolicy/policy_question.h"

#define POLICY_EXPLANATION_MAX (16u << 20) /* bytes */

struct policy_explainer {
    /* set by the caller */
    bool json;
    bool colour;            /* of text */
    const char *unknown;    /* why a register may be unknown, as "not known of an image" */
    struct buffer *out;     /* of text */
    struct json_writer *w;  /* of JSON: within the array of statements */
    struct buffer *reasons; /* gets a line for each statement that decides, or fails to;
                               failed, if memory or a limit did not suffice */

    /* of the statement under way */
    struct policy_cursor cursor;
    bool open;
    bool matches;
    bool deny;
    bool attested;                /* has a condition on a register */
    uint32_t same, other, unheld; /* registers by how their condition came out */
    char name[256];
    struct buffer lines;   /* its elements, as text */
    struct buffer failing; /* conditions on anything but registers that fail */
};

void policy_explainer_init(struct policy_explainer *e);
void policy_explainer_clear(struct policy_explainer *e);

/* Evaluates and explains. */
enum policy_effect policy_explain_all(struct policy_explainer *e, const struct policy *policy,
                                      const struct policy_question *question);

#endif
