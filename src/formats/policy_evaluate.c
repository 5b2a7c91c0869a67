/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deciding by a key policy, as the IAM User Guide defines it ("Policy evaluation logic", "Condition
 * operators"): within a statement everything must match; an explicit Deny wins over every Allow.
 */
#include "formats/policy_internal.h"
#include "formats/text.h"

struct evaluation {
    const struct policy_statement *statement;
    const struct policy_request *request;
    policy_explain explain;
    void *context;
};

/* Case is folded in ASCII only: names, actions and measurements are ASCII. */
static uint8_t fold(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

static bool equal_ignoring_case(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    for (size_t i = 0; i < a.len; i++)
        if (fold(a.at[i]) != fold(b.at[i]))
            return false;
    return true;
}

/* The length of the character at text[at]: '?' matches one character, not one byte. */
static size_t character(struct bytes text, size_t at)
{
    size_t len = 1;
    while (at + len < text.len && (text.at[at + len] & 0xC0) == 0x80)
        len++;
    return len;
}

/* Whether text matches a pattern with * and ?. It is enough to backtrack to the last *. */
static bool like(struct bytes pattern, struct bytes text, bool ignore_case)
{
    size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;
    while (t < text.len) {
        uint8_t c = p < pattern.len ? pattern.at[p] : 0;
        if (p < pattern.len && c == '*') {
            star = p++;
            resume = t;
        } else if (p < pattern.len && c == '?') {
            p++;
            t += character(text, t);
        } else if (p < pattern.len &&
                   (c == text.at[t] || (ignore_case && fold(c) == fold(text.at[t])))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            resume += character(text, resume);
            p = star + 1;
            t = resume;
        } else {
            return false;
        }
    }
    while (p < pattern.len && pattern.at[p] == '*')
        p++;
    return p == pattern.len;
}

static bool like_any(const struct policy_list *patterns, struct bytes text, bool ignore_case)
{
    for (size_t i = 0; i < patterns->count; i++)
        if (like(patterns->values[i], text, ignore_case))
            return true;
    return false;
}

/*
 * arn:aws:sts::A:assumed-role/ROLE/SESSION is a session of arn:aws:iam::A:role/PATH/ROLE. The
 * session's ARN omits the path; role names are unique within an account whatever their path.
 */
static bool is_session_of(const struct arn *session, const struct arn *role)
{
    struct bytes assumed = session->resource, name = role->resource;
    if (!bytes_equal_text(session->service, "sts") || !bytes_equal_text(role->service, "iam") ||
        !bytes_equal(session->account, role->account) ||
        !bytes_equal_text(text_cut(&assumed, '/'), "assumed-role") ||
        !bytes_equal_text(text_cut(&name, '/'), "role"))
        return false;
    while (name.len > 0 && memchr(name.at, '/', name.len) != NULL)
        text_cut(&name, '/');
    return name.len > 0 && bytes_equal(text_cut(&assumed, '/'), name);
}

static bool principal_matches(struct bytes wanted, const struct policy_request *request)
{
    struct arn arn, caller;
    if (bytes_equal_text(wanted, "*") || bytes_equal(wanted, request->principal_arn))
        return true;
    if (arn_is_account(wanted))
        return bytes_equal(wanted, request->account);
    if (!arn_parse(&arn, wanted))
        return false;
    if (bytes_equal_text(arn.service, "iam") && bytes_equal_text(arn.resource, "root"))
        return bytes_equal(arn.account,
                           request->account); /* means the whole account, not its root user only */
    return arn_parse(&caller, request->principal_arn) && is_session_of(&caller, &arn);
}

static bool principals_match(const struct policy_list *wanted, const struct policy_request *request)
{
    for (size_t i = 0; i < wanted->count; i++)
        if (principal_matches(wanted->values[i], request))
            return true;
    return false;
}

/* The request's value of a condition key; NULL if it has none. */
static const struct bytes *attribute(const struct policy_request *request, struct bytes name)
{
    for (size_t i = 0; i < request->attribute_count; i++)
        if (equal_ignoring_case(request->attributes[i].name, name))
            return &request->attributes[i].value;
    return NULL;
}

static bool compare(enum policy_comparison comparison, struct bytes wanted, struct bytes actual)
{
    switch (comparison) {
    case POLICY_EQUALS:
        return bytes_equal(wanted, actual);
    case POLICY_LIKE:
        return like(wanted, actual, false);
    default: /* and POLICY_BOOL: true and false are compared without case */
        return equal_ignoring_case(wanted, actual);
    }
}

/*
 * A condition on a key that the request does not have fails, unless its operator is negative or
 * IfExists. Of several values one must match, or none if the operator is negative.
 */
static bool condition_matches(const struct policy_condition *c, const struct bytes *actual)
{
    if (c->comparison == POLICY_NULL) {
        for (size_t i = 0; i < c->values.count; i++)
            if (bytes_equal_text(c->values.values[i], "true") == (actual == NULL))
                return true;
        return false;
    }
    if (actual == NULL)
        return c->if_exists || c->negative;
    for (size_t i = 0; i < c->values.count; i++)
        if (compare(c->comparison, c->values.values[i], *actual))
            return !c->negative;
    return c->negative;
}

static void report(const struct evaluation *e, struct policy_finding finding,
                   const struct policy_list *wanted)
{
    if (e->explain == NULL)
        return;
    BUFFER_AUTO joined;
    buffer_init(&joined, (size_t)2 * POLICY_TEXT_MAX);
    for (size_t i = 0; i < wanted->count; i++) {
        buffer_text(&joined, i > 0 ? " | " : "");
        buffer_append(&joined, wanted->values[i]);
    }
    const struct policy_statement *s = e->statement;
    finding.statement = s->sid.len > 0 ? s->sid : bytes_text(s->label);
    finding.deny = s->deny;
    finding.wanted = buffer_bytes(&joined);
    e->explain(e->context, &finding);
}

static bool element(const struct evaluation *e, const char *name, const struct policy_list *wanted,
                    struct bytes actual, bool matched)
{
    report(e,
           (struct policy_finding){
               .condition = bytes_text(name), .actual = actual, .matched = matched},
           wanted);
    return matched;
}

/* Goes on after an element that does not match, because explain wants every one. */
static bool statement_matches(const struct evaluation *e)
{
    const struct policy_statement *s = e->statement;
    const struct policy_request *request = e->request;
    bool all = element(e, "Principal", &s->principals, request->principal_arn,
                       principals_match(&s->principals, request));
    all &= element(e, s->not_action ? "NotAction" : "Action", &s->actions, request->action,
                   like_any(&s->actions, request->action, true) != s->not_action);
    all &= element(e, "Resource", &s->resources, request->resource,
                   like_any(&s->resources, request->resource, false));
    for (size_t i = 0; i < s->condition_count; i++) {
        const struct policy_condition *c = &s->conditions[i];
        const struct bytes *actual = attribute(request, c->key);
        bool matched = condition_matches(c, actual);
        all &= matched;
        struct policy_finding finding = {
            .condition = c->operator, .key = c->key, .matched = matched};
        if (actual != NULL) /* an empty value is a value */
            finding.actual = actual->len > 0 ? *actual : bytes_of("", 0);
        report(e, finding, &c->values);
    }
    return all;
}

enum policy_effect policy_evaluate(const struct policy *policy,
                                   const struct policy_request *request, policy_explain explain,
                                   void *context)
{
    bool allowed = false, denied = false;
    for (size_t i = 0; i < policy->statement_count; i++) {
        const struct evaluation e = {&policy->statements[i], request, explain, context};
        if (!statement_matches(&e))
            continue;
        allowed |= !e.statement->deny;
        denied |= e.statement->deny;
    }
    return denied ? POLICY_DENIED_EXPLICITLY : allowed ? POLICY_ALLOWED : POLICY_NOT_ALLOWED;
}
