/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a key policy. What is not understood is refused: it would be worse to give a policy
 * another meaning than its author did.
 *
 *     {"Version": "2012-10-17", "Id": …, "Statement": [
 *         {"Sid": …, "Effect": "Allow" | "Deny", "Principal": "*" | {"AWS": LIST},
 *          "Action" | "NotAction": LIST, "Resource": LIST,
 *          "Condition": {OPERATOR: {KEY: LIST, …}, …}}, …]}
 *
 * LIST is a string or an array of strings, Statement an object or an array of objects.
 */
#include "formats/policy_internal.h"
#include "formats/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN(text) (int)((text).len < 64 ? (text).len : 64), (const char *)(text).at

struct reader {
    struct policy *policy;
    struct json doc;
    struct error *err;
    const struct policy_statement *statement; /* the one being read; NULL outside */
    size_t values;                            /* in use */
    size_t conditions;                        /* in use */
    bool variables; /* "${" starts a policy variable, since version 2012-10-17 */
};

PRINTF_LIKE(2, 3)
static bool refuse(struct reader *r, const char *format, ...)
{
    char text[384];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    const struct policy_statement *s = r->statement;
    if (s == NULL)
        return error_set(r->err, ERROR_FORMAT, "%s", text);
    if (s->sid.len == 0)
        return error_set(r->err, ERROR_FORMAT, "%s: %s", s->label, text);
    return error_set(r->err, ERROR_FORMAT, "%s (%.*s): %s", s->label, SHOWN(s->sid), text);
}

/* String v, unescaped. The room for all strings of the text has been reserved. */
static bool take_string(struct reader *r, json_value v, const char *what, struct bytes *out)
{
    struct buffer *strings = &r->policy->strings;
    const size_t from = strings->len;
    if (json_type(&r->doc, v) != JSON_STRING)
        return refuse(r, "%s is not a string", what);
    if (!json_string(&r->doc, v, strings))
        return refuse(r, "%s is not UTF-8", what);
    *out = bytes_of(strings->at + from, strings->len - from);
    return true;
}

static bool take_item(struct reader *r, json_value v, const char *what, struct bytes *out)
{
    if (!take_string(r, v, what, out))
        return false;
    if (r->variables && memmem(out->at, out->len, "${", 2) != NULL)
        return refuse(r, "%s has a policy variable, which is not supported", what);
    return true;
}

static bool take_list(struct reader *r, json_value v, const char *what, struct policy_list *out)
{
    struct bytes *values = r->policy->values + r->values;
    *out = (struct policy_list){.values = values};
    if (json_type(&r->doc, v) != JSON_ARRAY) {
        out->count = 1;
        r->values++;
        return take_item(r, v, what, values);
    }
    for (json_value i = json_first(&r->doc, v); i != JSON_NONE; i = json_next(&r->doc, v, i)) {
        r->values++;
        if (!take_item(r, i, what, &values[out->count++]))
            return false;
    }
    return out->count > 0 || refuse(r, "%s is empty", what);
}

static bool take_sid(struct reader *r, json_value v, struct policy_statement *s)
{
    return take_string(r, v, "Sid", &s->sid);
}

static bool take_effect(struct reader *r, json_value v, struct policy_statement *s)
{
    s->deny = json_string_is(&r->doc, v, "Deny");
    return s->deny || json_string_is(&r->doc, v, "Allow") ||
           refuse(r, "Effect is neither Allow nor Deny");
}

static bool principal_valid(struct bytes text)
{
    struct arn arn;
    if (bytes_equal_text(text, "*") || arn_is_account(text))
        return true;
    return arn_parse(&arn, text) && arn.region.len == 0 &&
           (bytes_equal_text(arn.service, "iam") || bytes_equal_text(arn.service, "sts"));
}

static bool take_principal(struct reader *r, json_value v, struct policy_statement *s)
{
    if (json_type(&r->doc, v) == JSON_OBJECT) {
        json_value aws = json_member(&r->doc, v, "AWS");
        if (aws == JSON_NONE || json_next(&r->doc, v, json_first(&r->doc, v)) != JSON_NONE)
            return refuse(r, "Principal has other members than AWS");
        v = aws;
    } else if (!json_string_is(&r->doc, v, "*")) {
        return refuse(r, "Principal is neither \"*\" nor an object with AWS");
    }
    if (!take_list(r, v, "Principal", &s->principals))
        return false;
    for (size_t i = 0; i < s->principals.count; i++)
        if (!principal_valid(s->principals.values[i]))
            return refuse(r, "principal %.*s is neither *, an account nor an ARN of IAM or STS",
                          SHOWN(s->principals.values[i]));
    return true;
}

static bool take_actions(struct reader *r, json_value v, struct policy_statement *s)
{
    if (s->actions.count > 0)
        return refuse(r, "both Action and NotAction");
    if (!take_list(r, v, "Action", &s->actions))
        return false;
    for (size_t i = 0; i < s->actions.count; i++) {
        struct bytes action = s->actions.values[i];
        if (!bytes_equal_text(action, "*") && memchr(action.at, ':', action.len) == NULL)
            return refuse(r, "action %.*s is not service:name", SHOWN(action));
    }
    return true;
}

static bool take_not_actions(struct reader *r, json_value v, struct policy_statement *s)
{
    s->not_action = true;
    return take_actions(r, v, s);
}

static bool take_resources(struct reader *r, json_value v, struct policy_statement *s)
{
    if (!take_list(r, v, "Resource", &s->resources))
        return false;
    for (size_t i = 0; i < s->resources.count; i++) {
        struct bytes text = s->resources.values[i];
        bool arn = text.len > 4 && memcmp(text.at, "arn:", 4) == 0;
        if (!arn && !bytes_equal_text(text, "*"))
            return refuse(r, "resource %.*s is neither * nor an ARN", SHOWN(text));
    }
    return true;
}

static bool ends_with(struct bytes text, const char *end)
{
    size_t len = strlen(end);
    return text.len >= len && memcmp(text.at + text.len - len, end, len) == 0;
}

static bool parse_operator(struct policy_condition *c)
{
    static const struct {
        const char *name;
        enum policy_comparison comparison;
        bool negative;
    } operators[] = {
        {"StringEquals", POLICY_EQUALS, false},
        {"StringNotEquals", POLICY_EQUALS, true},
        {"StringEqualsIgnoreCase", POLICY_EQUALS_IGNORE_CASE, false},
        {"StringNotEqualsIgnoreCase", POLICY_EQUALS_IGNORE_CASE, true},
        {"StringLike", POLICY_LIKE, false},
        {"StringNotLike", POLICY_LIKE, true},
        {"Bool", POLICY_BOOL, false},
        {"Null", POLICY_NULL, false},
    };
    struct bytes name = c->operator;
    c->if_exists = ends_with(name, "IfExists");
    if (c->if_exists)
        name.len -= strlen("IfExists");
    for (size_t i = 0; i < ARRAY_LEN(operators); i++) {
        if (bytes_equal_text(name, operators[i].name)) {
            c->comparison = operators[i].comparison;
            c->negative = operators[i].negative;
            return c->comparison != POLICY_NULL || !c->if_exists;
        }
    }
    return false;
}

/* The values of Bool and Null: true and false, as strings or as JSON's own. */
static bool take_booleans(struct reader *r, json_value v, struct policy_condition *c)
{
    enum json_type type = json_type(&r->doc, v);
    if (type == JSON_TRUE || type == JSON_FALSE) {
        struct bytes *value = &r->policy->values[r->values++];
        *value = bytes_text(type == JSON_TRUE ? "true" : "false");
        c->values = (struct policy_list){.values = value, .count = 1};
        return true;
    }
    if (!take_list(r, v, "the value of a condition", &c->values))
        return false;
    for (size_t i = 0; i < c->values.count; i++)
        if (!bytes_equal_text(c->values.values[i], "true") &&
            !bytes_equal_text(c->values.values[i], "false"))
            return refuse(r, "%.*s %.*s is neither true nor false", SHOWN(c->operator),
                          SHOWN(c->key));
    return true;
}

/* The keys and values of one operator. */
static bool take_operator(struct reader *r, json_value name, struct policy_statement *s)
{
    struct policy_condition template = {0};
    if (!take_string(r, name, "an operator", &template.operator))
        return false;
    if (!parse_operator(&template))
        return refuse(r, "condition operator %.*s is not supported", SHOWN(template.operator));
    const json_value keys = name + 1;
    if (json_type(&r->doc, keys) != JSON_OBJECT || json_first(&r->doc, keys) == JSON_NONE)
        return refuse(r, "%.*s names no condition key", SHOWN(template.operator));
    for (json_value n = json_first(&r->doc, keys); n != JSON_NONE;
         n = json_next(&r->doc, keys, n)) {
        struct policy_condition *c = &r->policy->conditions[r->conditions++];
        *c = template;
        s->condition_count++;
        if (!take_string(r, n, "a condition key", &c->key))
            return false;
        if (memchr(c->key.at, ':', c->key.len) == NULL)
            return refuse(r, "condition key %.*s is not service:name", SHOWN(c->key));
        bool boolean = c->comparison == POLICY_BOOL || c->comparison == POLICY_NULL;
        if (boolean ? !take_booleans(r, n + 1, c)
                    : !take_list(r, n + 1, "the value of a condition", &c->values))
            return false;
    }
    return true;
}

static bool take_conditions(struct reader *r, json_value v, struct policy_statement *s)
{
    if (json_type(&r->doc, v) != JSON_OBJECT)
        return refuse(r, "Condition is not an object");
    s->conditions = r->policy->conditions + r->conditions;
    for (json_value n = json_first(&r->doc, v); n != JSON_NONE; n = json_next(&r->doc, v, n))
        if (!take_operator(r, n, s))
            return false;
    return true;
}

static bool take_member(struct reader *r, json_value name, struct policy_statement *s)
{
    static const struct {
        const char *name;
        bool (*take)(struct reader *r, json_value v, struct policy_statement *s);
    } members[] = {
        {"Sid", take_sid},
        {"Effect", take_effect},
        {"Principal", take_principal},
        {"Action", take_actions},
        {"NotAction", take_not_actions},
        {"Resource", take_resources},
        {"Condition", take_conditions},
    };
    for (size_t i = 0; i < ARRAY_LEN(members); i++)
        if (json_string_is(&r->doc, name, members[i].name))
            return members[i].take(r, name + 1, s);
    struct bytes raw = json_raw(&r->doc, name);
    return refuse(r, "member %.*s is not supported", SHOWN(raw));
}

static bool take_statement(struct reader *r, json_value v)
{
    struct policy *policy = r->policy;
    struct policy_statement *s = &policy->statements[policy->statement_count++];
    snprintf(s->label, sizeof s->label, "statement %zu", policy->statement_count);
    r->statement = s;
    if (json_type(&r->doc, v) != JSON_OBJECT)
        return refuse(r, "not an object");
    for (json_value n = json_first(&r->doc, v); n != JSON_NONE; n = json_next(&r->doc, v, n))
        if (!take_member(r, n, s))
            return false;
    if (json_member(&r->doc, v, "Effect") == JSON_NONE)
        return refuse(r, "no Effect");
    if (s->principals.count == 0)
        return refuse(r, "no Principal");
    if (s->actions.count == 0)
        return refuse(r, "no Action");
    if (s->resources.count == 0)
        return refuse(r, "no Resource");
    r->statement = NULL;
    return true;
}

/* The members of the policy itself except Statement. */
static bool check_head(struct reader *r)
{
    const struct json *doc = &r->doc;
    if (json_type(doc, 0) != JSON_OBJECT)
        return refuse(r, "the policy is not an object");
    for (json_value n = json_first(doc, 0); n != JSON_NONE; n = json_next(doc, 0, n)) {
        struct bytes raw = json_raw(doc, n);
        if (!json_string_is(doc, n, "Version") && !json_string_is(doc, n, "Id") &&
            !json_string_is(doc, n, "Statement"))
            return refuse(r, "member %.*s of the policy is not supported", SHOWN(raw));
    }
    json_value version = json_member(doc, 0, "Version"), id = json_member(doc, 0, "Id");
    r->variables = json_string_is(doc, version, "2012-10-17");
    if (!r->variables && !json_string_is(doc, version, "2008-10-17"))
        return refuse(r, "Version is neither 2012-10-17 nor 2008-10-17");
    if (id != JSON_NONE && json_type(doc, id) != JSON_STRING)
        return refuse(r, "Id is not a string");
    return true;
}

/* Every view, condition and statement has a node of its own, so the index bounds their numbers. */
static bool allocate(struct reader *r)
{
    struct policy *policy = r->policy;
    policy->values = calloc(r->doc.count, sizeof *policy->values);
    policy->conditions = calloc(r->doc.count, sizeof *policy->conditions);
    policy->statements = calloc(r->doc.count, sizeof *policy->statements);
    buffer_init(&policy->strings, r->doc.text.len);
    if (policy->values == NULL || policy->conditions == NULL || policy->statements == NULL ||
        buffer_reserve(&policy->strings, r->doc.text.len) == NULL)
        return error_set(r->err, ERROR_MEMORY, "no memory for a policy");
    return true;
}

static bool read_policy(struct reader *r, struct bytes text)
{
    struct error json_error;
    if (text.len > POLICY_TEXT_MAX)
        return refuse(r, "longer than %d bytes", POLICY_TEXT_MAX);
    if (!json_parse(&r->doc, text, &json_error))
        return json_error.code == ERROR_MEMORY
                   ? error_set(r->err, ERROR_MEMORY, "%s", json_error.cause)
                   : refuse(r, "not strict JSON: %s", json_error.cause);
    if (!check_head(r) || !allocate(r))
        return false;
    json_value list = json_member(&r->doc, 0, "Statement");
    if (list == JSON_NONE)
        return refuse(r, "no Statement");
    if (json_type(&r->doc, list) == JSON_OBJECT)
        return take_statement(r, list);
    if (json_type(&r->doc, list) != JSON_ARRAY || json_first(&r->doc, list) == JSON_NONE)
        return refuse(r, "Statement is neither a statement nor a list of them");
    for (json_value v = json_first(&r->doc, list); v != JSON_NONE; v = json_next(&r->doc, list, v))
        if (!take_statement(r, v))
            return false;
    return true;
}

struct policy *policy_new(struct bytes text, struct error *err)
{
    struct reader r = {.policy = calloc(1, sizeof *r.policy), .err = err};
    if (r.policy == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for a policy");
        return NULL;
    }
    json_init(&r.doc, JSON_DEPTH);
    if (!read_policy(&r, text)) {
        policy_free(r.policy);
        r.policy = NULL;
    }
    json_clear(&r.doc);
    return r.policy;
}

void policy_free(struct policy *policy)
{
    if (policy == NULL)
        return;
    buffer_clear(&policy->strings);
    free(policy->values);
    free(policy->conditions);
    free(policy->statements);
    free(policy);
}
