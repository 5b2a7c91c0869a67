/* SPDX-License-Identifier: Apache-2.0 */
#include "host/policy/policy_explain.h"

#include <stdio.h>
#include <stdlib.h>

#include "host/report.h"

#define NAME_SHOWN_MAX 60  /* bytes of a Sid in a sentence, each of at most four characters */
#define SHOWN_MAX      400 /* longest value in text; JSON has the whole value */

void policy_explainer_init(struct policy_explainer *e)
{
    *e = (struct policy_explainer){0};
    buffer_init(&e->lines, POLICY_EXPLANATION_MAX);
    buffer_init(&e->failing, POLICY_EXPLANATION_MAX);
}

void policy_explainer_clear(struct policy_explainer *e)
{
    buffer_clear(&e->lines);
    buffer_clear(&e->failing);
}

/* The number of the register in a condition key, or -1. Keys match in any case. */
static int register_of(struct bytes key)
{
    const size_t prefix = sizeof POLICY_REGISTER_PREFIX - 1;
    char text[64];
    if (key.len <= prefix || key.len >= sizeof text)
        return -1;
    memcpy(text, key.at, key.len);
    text[key.len] = '\0';
    if (strcasecmp(text, POLICY_IMAGE_KEY) == 0)
        return 0;
    if (strncasecmp(text, POLICY_REGISTER_PREFIX "PCR", prefix + 3) != 0)
        return -1;
    char *end = NULL;
    unsigned long n = strtoul(text + prefix + 3, &end, 10);
    return end != text + prefix + 3 && *end == '\0' && n < PCR_COUNT ? (int)n : -1;
}

/* "PCR1, PCR2 and PCR8" */
static void put_registers(struct buffer *out, uint32_t set)
{
    for (unsigned i = 0; i < PCR_COUNT; i++) {
        if ((set >> i & 1) == 0)
            continue;
        buffer_printf(out, "PCR%u", i);
        uint32_t rest = set & ~((UINT32_C(2) << i) - 1);
        if (rest != 0)
            buffer_text(out, (rest & (rest - 1)) != 0 ? ", " : " and ");
    }
}

static bool is_single(uint32_t set)
{
    return (set & (set - 1)) == 0;
}

static void put_failing_registers(const struct policy_explainer *e, struct buffer *out)
{
    buffer_text(out, e->same != 0 ? ", " : "");
    put_registers(out, e->other);
    buffer_text(out, is_single(e->other) ? " does not" : " do not");
    buffer_text(out, e->same != 0 ? "" : " match");
}

/* "PCR1 matches, PCR0 does not; kms:EncryptionContext:purpose does not match" */
static void put_why(const struct policy_explainer *e, struct buffer *out)
{
    size_t before = out->len;
    put_registers(out, e->same);
    if (e->same != 0)
        buffer_text(out, is_single(e->same) ? " matches" : " match");
    if (e->other != 0)
        put_failing_registers(e, out);
    if (e->unheld != 0) {
        buffer_text(out, out->len > before ? ", " : "");
        put_registers(out, e->unheld);
        buffer_printf(out, " %s %s", is_single(e->unheld) ? "is" : "are", e->unknown);
    }
    if (e->failing.len > 0) {
        buffer_text(out, out->len > before ? "; " : "");
        buffer_append(out, buffer_bytes(&e->failing));
    }
}

/* Adds one line if this statement matters for the decision. */
static void put_reason(struct policy_explainer *e)
{
    struct buffer *out = e->reasons;
    if (e->cursor.aside || (e->deny && !e->matches))
        return;
    buffer_printf(out, "statement %s ", e->name);
    if (e->deny)
        buffer_text(out, "denies it, whatever others allow");
    else if (e->matches && !e->attested)
        buffer_text(out, "allows it without a condition on a register, whatever runs");
    else if (e->matches)
        buffer_text(out, "allows it");
    else {
        buffer_text(out, "does not allow it: ");
        put_why(e, out);
    }
    buffer_byte(out, '\n');
}

static void close_statement(struct policy_explainer *e)
{
    if (!e->open)
        return;
    e->open = false;
    put_reason(e);
    e->reasons->failed = e->reasons->failed || e->failing.failed || e->lines.failed;
    if (e->json) {
        json_end(e->w);
        json_boolean(e->w, "applies", e->matches);
        json_end(e->w);
        return;
    }
    const char *comes_out = e->matches        ? "applies"
                            : e->cursor.aside ? "is not about this request"
                                              : "does not apply";
    buffer_printf(e->out, "statement %s (%s) %s\n", e->name, e->deny ? "Deny" : "Allow", comes_out);
    buffer_append(e->out, buffer_bytes(&e->lines));
    buffer_byte(e->out, '\n');
}

static void open_statement(struct policy_explainer *e, const struct policy_finding *f)
{
    close_statement(e);
    BUFFER_AUTO name;
    buffer_init(&name, sizeof e->name);
    append_escaped(&name,
                   bytes_of(f->statement.at,
                            f->statement.len < NAME_SHOWN_MAX ? f->statement.len : NAME_SHOWN_MAX));
    snprintf(e->name, sizeof e->name, "%.*s", (int)name.len,
             name.len > 0 ? (const char *)name.at : "");
    buffer_reset(&e->lines);
    buffer_reset(&e->failing);
    e->open = e->matches = true;
    e->deny = f->deny;
    e->attested = false;
    e->same = e->other = e->unheld = 0;
    if (!e->json)
        return;
    json_object(e->w, NULL);
    json_text_bytes(e->w, "statement", f->statement);
    json_text(e->w, "effect", f->deny ? "Deny" : "Allow");
    json_array(e->w, "elements");
}

/* Notes how the condition on a register came out. */
static void note_register(struct policy_explainer *e, const struct policy_finding *f,
                          unsigned index)
{
    uint32_t bit = UINT32_C(1) << index;
    e->attested = true;
    if (f->matched)
        e->same |= bit;
    else if (f->actual.at != NULL)
        e->other |= bit;
    else
        e->unheld |= bit;
    e->same &= ~(e->other | e->unheld); /* of two conditions on one register both must match */
}

/* Notes what put_why will report of this element. */
static void note(struct policy_explainer *e, const struct policy_finding *f)
{
    int index = register_of(f->key);
    if (index >= 0) {
        note_register(e, f, (unsigned)index);
    } else if (!f->matched && f->key.len > 0) {
        buffer_text(&e->failing, e->failing.len > 0 ? ", " : "");
        append_escaped(&e->failing, f->key);
        buffer_text(&e->failing, f->actual.at == NULL ? " is missing" : " does not match");
    }
}

static void put_value(struct buffer *out, const char *label, struct bytes value)
{
    buffer_printf(out, "         %-7s ", label);
    append_escaped(out, bytes_of(value.at, value.len < SHOWN_MAX ? value.len : SHOWN_MAX));
    buffer_text(out, value.len > SHOWN_MAX ? " ...\n" : "\n");
}

static void put_text(struct policy_explainer *e, const struct policy_finding *f)
{
    buffer_text(&e->lines, "  ");
    append_toned(&e->lines, f->matched ? TONE_GOOD : TONE_BAD, f->matched ? "yes" : "no ",
                 e->colour);
    buffer_text(&e->lines, "  ");
    append_escaped(&e->lines, f->condition);
    buffer_text(&e->lines, f->key.len > 0 ? " " : "");
    append_escaped(&e->lines, f->key);
    buffer_byte(&e->lines, '\n');
    put_value(&e->lines, "wanted", f->wanted);
    put_value(&e->lines, "actual", f->actual.at != NULL ? f->actual : bytes_text("(none)"));
}

static void put_json(struct policy_explainer *e, const struct policy_finding *f)
{
    json_object(e->w, NULL);
    json_text_bytes(e->w, "element", f->condition);
    if (f->key.len > 0)
        json_text_bytes(e->w, "key", f->key);
    json_text_bytes(e->w, "wanted", f->wanted);
    if (f->actual.at != NULL)
        json_text_bytes(e->w, "actual", f->actual);
    else
        json_null(e->w, "actual");
    json_boolean(e->w, "matches", f->matched);
    json_end(e->w);
}

static void explain(void *context, const struct policy_finding *f)
{
    struct policy_explainer *e = context;
    if (policy_finding_begins(f))
        open_statement(e, f);
    policy_cursor_next(&e->cursor, f);
    e->matches = e->matches && f->matched;
    note(e, f);
    if (e->json)
        put_json(e, f);
    else
        put_text(e, f);
}

enum policy_effect policy_explain_all(struct policy_explainer *e, const struct policy *policy,
                                      const struct policy_question *question)
{
    const struct policy_request request = policy_question_request(question);
    enum policy_effect effect = policy_evaluate(policy, &request, explain, e);
    close_statement(e);
    return effect;
}
