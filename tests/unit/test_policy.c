/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "formats/policy_attributes.h"

#define ACCOUNT "111122223333"
#define ROLE    "arn:aws:iam::" ACCOUNT ":role/enclave"
#define SESSION "arn:aws:sts::" ACCOUNT ":assumed-role/enclave/i-0123"
#define KEY     "arn:aws:kms:eu-central-1:" ACCOUNT ":key/1234abcd-12ab-34cd-56ef-1234567890ab"

/* Policies are written with ' for " and put into quotes here. */
static struct buffer quoted(const char *text)
{
    struct buffer b;
    buffer_init(&b, 2 * POLICY_TEXT_MAX);
    for (; *text != '\0'; text++)
        buffer_byte(&b, *text == '\'' ? '"' : (uint8_t)*text);
    return b;
}

static struct policy *policy_of(const char *text, struct error *err)
{
    BUFFER_AUTO b = quoted(text);
    return policy_new(buffer_bytes(&b), err);
}

/* A statement, with its Effect, Principal, Action, Resource and what follows them. */
#define STATEMENT(effect, principal, action, more) \
    "{'Effect': '" effect "', 'Principal': " principal ", " action ", 'Resource': '*'" more "}"
#define POLICY(statements) "{'Version': '2012-10-17', 'Statement': [" statements "]}"
#define ALLOW(more)        POLICY(STATEMENT("Allow", "'*'", "'Action': 'kms:*'", more))
#define CONDITION(text)    ALLOW(", 'Condition': {" text "}")

struct request {
    const char *principal;
    const char *account;
    const char *action;
    const char *attributes[8]; /* name, value, name, value, … */
};

static enum policy_effect evaluate(const struct policy *policy, const struct request *r,
                                   policy_explain explain, void *context)
{
    struct policy_attribute attributes[4];
    size_t count = 0;
    for (; count < 4 && r->attributes[2 * count] != NULL; count++)
        attributes[count] = (struct policy_attribute){bytes_text(r->attributes[2 * count]),
                                                      bytes_text(r->attributes[2 * count + 1])};
    struct policy_request request = {
        .principal_arn = bytes_text(r->principal != NULL ? r->principal : ROLE),
        .account = bytes_text(r->account != NULL ? r->account : ACCOUNT),
        .action = bytes_text(r->action != NULL ? r->action : "kms:Decrypt"),
        .resource = bytes_text(KEY),
        .attributes = attributes,
        .attribute_count = count};
    return policy_evaluate(policy, &request, explain, context);
}

struct row {
    const char *policy;
    struct request request;
    enum policy_effect want;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct error err = {.cause = ""};
        struct policy *policy = policy_of(rows[i].policy, &err);
        if (policy == NULL)
            fail_msg("row %zu: %s", i, err.cause);
        enum policy_effect got = evaluate(policy, &rows[i].request, NULL, NULL);
        policy_free(policy);
        if (got != rows[i].want)
            fail_msg("row %zu, %s: got %d, want %d", i, rows[i].policy, got, rows[i].want);
    }
}

#define ANYBODY STATEMENT("Allow", "'*'", "'Action': '*'", "")

static void effects(void **state)
{
    (void)state;
    static const char deny_decrypt[] =
        POLICY(ANYBODY "," STATEMENT("Deny", "'*'", "'Action': 'kms:Decrypt'", ""));
    static const char deny_first[] =
        POLICY(STATEMENT("Deny", "'*'", "'Action': 'kms:Decrypt'", "") "," ANYBODY);
    static const struct row rows[] = {
        {POLICY(ANYBODY), {0}, POLICY_ALLOWED},
        {"{'Statement': " ANYBODY ", 'Id': 'x', 'Version': '2008-10-17'}", {0}, POLICY_ALLOWED},
        {deny_decrypt, {0}, POLICY_DENIED_EXPLICITLY},
        {deny_first, {0}, POLICY_DENIED_EXPLICITLY},
        {deny_decrypt, {.action = "kms:Encrypt"}, POLICY_ALLOWED},
        {POLICY(STATEMENT("Deny", "'*'", "'Action': 'kms:Decrypt'", "")),
         {.action = "kms:Encrypt"},
         POLICY_NOT_ALLOWED},
        {POLICY(STATEMENT("Deny", "'*'", "'Action': 'kms:Decrypt'",
                          ", 'Condition': {'Null': {'kms:X': 'false'}}") "," ANYBODY),
         {0},
         POLICY_ALLOWED},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void actions(void **state)
{
    (void)state;
    static const struct {
        const char *element;
        const char *action;
        bool want;
    } rows[] = {
        {"'Action': '*'", "kms:Decrypt", true},
        {"'Action': 'kms:*'", "kms:Decrypt", true},
        {"'Action': 'kms:Decrypt'", "kms:Decrypt", true},
        {"'Action': 'KMS:decrypt'", "kms:Decrypt", true},
        {"'Action': 'kms:Decrypt'", "kms:DecryptX", false},
        {"'Action': 'kms:Decrypt'", "kms:Decryp", false},
        {"'Action': 'kms:De*'", "kms:Decrypt", true},
        {"'Action': 'kms:De*t'", "kms:Decrypt", true},
        {"'Action': 'kms:*e*y*'", "kms:GenerateDataKey", true},
        {"'Action': 'kms:*a*a*a*a'", "kms:GenerateDataKey", false},
        {"'Action': 'kms:Decryp?'", "kms:Decrypt", true},
        {"'Action': 'kms:Decrypt?'", "kms:Decrypt", false},
        {"'Action': 'kms:??crypt'", "kms:Decrypt", true},
        {"'Action': 'kms:Decrypt**'", "kms:Decrypt", true},
        {"'Action': 's3:*'", "kms:Decrypt", false},
        {"'Action': ['kms:Encrypt', 'kms:Decrypt']", "kms:Decrypt", true},
        {"'Action': ['kms:Encrypt', 'kms:Decrypt']", "kms:GenerateRandom", false},
        {"'NotAction': 'kms:Decrypt'", "kms:Decrypt", false},
        {"'NotAction': 'kms:Decrypt'", "kms:Encrypt", true},
        {"'NotAction': ['kms:En*', 'kms:de*']", "kms:Decrypt", false},
        {"'NotAction': ['kms:En*', 'kms:de*']", "kms:GenerateRandom", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        snprintf(text, sizeof text, POLICY(STATEMENT("Allow", "'*'", "%s", "")), rows[i].element);
        struct row row = {
            text, {.action = rows[i].action}, rows[i].want ? POLICY_ALLOWED : POLICY_NOT_ALLOWED};
        check_rows(&row, 1);
    }
}

static void principals(void **state)
{
    (void)state;
    static const struct {
        const char *element;
        const char *principal;
        const char *account; /* NULL: the key's */
        bool want;
    } rows[] = {
        {"'*'", "arn:aws:iam::999988887777:user/eve", "999988887777", true},
        {"{'AWS': '*'}", "arn:aws:iam::999988887777:user/eve", "999988887777", true},
        {"{'AWS': ['*']}", ROLE, NULL, true},
        {"{'AWS': '" ACCOUNT "'}", ROLE, NULL, true},
        {"{'AWS': '" ACCOUNT "'}", "arn:aws:iam::999988887777:user/eve", "999988887777", false},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":root'}", ROLE, NULL, true},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":root'}", SESSION, NULL, true},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":root'}", "arn:aws:iam::" ACCOUNT ":root", NULL, true},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":root'}", "arn:aws:iam::999988887777:root",
         "999988887777", false},
        {"{'AWS': '" ROLE "'}", ROLE, NULL, true},
        {"{'AWS': '" ROLE "'}", SESSION, NULL, true},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":role/deep/path/enclave'}", SESSION, NULL, true},
        {"{'AWS': '" SESSION "'}", SESSION, NULL, true},
        {"{'AWS': '" SESSION "'}", ROLE, NULL, false},
        {"{'AWS': '" SESSION "'}", SESSION "4", NULL, false},
        {"{'AWS': '" ROLE "'}", "arn:aws:sts::" ACCOUNT ":assumed-role/enclave2/s", NULL, false},
        {"{'AWS': '" ROLE "'}", "arn:aws:sts::" ACCOUNT ":assumed-role/other/enclave", NULL, false},
        {"{'AWS': '" ROLE "'}", "arn:aws:sts::999988887777:assumed-role/enclave/s", "999988887777",
         false},
        {"{'AWS': '" ROLE "'}", "arn:aws:iam::" ACCOUNT ":user/enclave", NULL, false},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":user/enclave'}", SESSION, NULL, false},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":user/bob'}", "arn:aws:iam::" ACCOUNT ":user/bob", NULL,
         true},
        {"{'AWS': 'arn:aws:iam::" ACCOUNT ":user/bob'}", "arn:aws:iam::" ACCOUNT ":user/Bob", NULL,
         false},
        {"{'AWS': ['999988887777', '" ROLE "']}", ROLE, NULL, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        snprintf(text, sizeof text, POLICY(STATEMENT("Allow", "%s", "'Action': '*'", "")),
                 rows[i].element);
        struct row row = {text,
                          {.principal = rows[i].principal, .account = rows[i].account},
                          rows[i].want ? POLICY_ALLOWED : POLICY_NOT_ALLOWED};
        check_rows(&row, 1);
    }
}

static void resources(void **state)
{
    (void)state;
    static const struct {
        const char *resource;
        bool want;
    } rows[] = {
        {"'*'", true},
        {"'" KEY "'", true},
        {"['arn:aws:kms:eu-central-1:" ACCOUNT ":key/other', '" KEY "']", true},
        {"'arn:aws:kms:*:" ACCOUNT ":key/*'", true},
        {"'arn:aws:kms:eu-central-1:" ACCOUNT ":key/other'", false},
        {"'arn:aws:kms:eu-central-1:" ACCOUNT ":KEY/*'", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        snprintf(text, sizeof text,
                 POLICY("{'Effect': 'Allow', 'Principal': '*', 'Action': '*', 'Resource': %s}"),
                 rows[i].resource);
        struct row row = {text, {0}, rows[i].want ? POLICY_ALLOWED : POLICY_NOT_ALLOWED};
        check_rows(&row, 1);
    }
}

#define PCR0   "kms:RecipientAttestation:PCR0"
#define REGION "kms:EncryptionContext:region"

static void conditions(void **state)
{
    (void)state;
    static const struct {
        const char *condition;
        const char *value; /* of PCR0 in the request; NULL: none */
        bool want;
    } rows[] = {
        {"'StringEquals': {'" PCR0 "': 'ab01'}", "ab01", true},
        {"'StringEquals': {'" PCR0 "': 'ab01'}", "AB01", false},
        {"'StringEquals': {'" PCR0 "': 'ab0*'}", "ab01", false},
        {"'StringEquals': {'" PCR0 "': 'ab01'}", NULL, false},
        {"'StringEquals': {'" PCR0 "': ''}", "", true},
        {"'StringEquals': {'KMS:recipientattestation:pcr0': 'ab01'}", "ab01", true},
        {"'StringEquals': {'" PCR0 "': ['cd', 'ab01']}", "ab01", true},
        {"'StringEquals': {'" PCR0 "': ['cd', 'ef']}", "ab01", false},
        {"'StringEqualsIfExists': {'" PCR0 "': 'ab01'}", NULL, true},
        {"'StringEqualsIfExists': {'" PCR0 "': 'ab01'}", "ab01", true},
        {"'StringEqualsIfExists': {'" PCR0 "': 'ab01'}", "cd", false},
        {"'StringNotEquals': {'" PCR0 "': 'ab01'}", "ab01", false},
        {"'StringNotEquals': {'" PCR0 "': 'ab01'}", "AB01", true},
        {"'StringNotEquals': {'" PCR0 "': 'ab01'}", NULL, true},
        {"'StringNotEquals': {'" PCR0 "': ['cd', 'ab01']}", "ab01", false},
        {"'StringNotEquals': {'" PCR0 "': ['cd', 'ef']}", "ab01", true},
        {"'StringNotEqualsIfExists': {'" PCR0 "': 'ab01'}", NULL, true},
        {"'StringNotEqualsIfExists': {'" PCR0 "': 'ab01'}", "ab01", false},
        {"'StringEqualsIgnoreCase': {'" PCR0 "': 'Ab01'}", "aB01", true},
        {"'StringEqualsIgnoreCase': {'" PCR0 "': 'Ab01'}", "aB012", false},
        {"'StringEqualsIgnoreCase': {'" PCR0 "': 'ab01'}", NULL, false},
        {"'StringEqualsIgnoreCaseIfExists': {'" PCR0 "': 'ab01'}", NULL, true},
        {"'StringNotEqualsIgnoreCase': {'" PCR0 "': 'Ab01'}", "aB01", false},
        {"'StringNotEqualsIgnoreCase': {'" PCR0 "': 'Ab01'}", "other", true},
        {"'StringNotEqualsIgnoreCase': {'" PCR0 "': 'Ab01'}", NULL, true},
        {"'StringNotEqualsIgnoreCaseIfExists': {'" PCR0 "': 'ab'}", NULL, true},
        {"'StringLike': {'" PCR0 "': 'ab*'}", "ab01", true},
        {"'StringLike': {'" PCR0 "': 'AB*'}", "ab01", false},
        {"'StringLike': {'" PCR0 "': 'a?0?'}", "ab01", true},
        {"'StringLike': {'" PCR0 "': 'a?0?\?'}", "ab01", false},
        {"'StringLike': {'" PCR0 "': 'x?z'}", "x\xC3\xA9z", true},
        {"'StringLike': {'" PCR0 "': '*?'}", "\xC3\xA9", true},
        {"'StringLike': {'" PCR0 "': '?\?'}", "\xC3\xA9", false},
        {"'StringLike': {'" PCR0 "': '*'}", "", true},
        {"'StringLike': {'" PCR0 "': '?*'}", "", false},
        {"'StringLike': {'" PCR0 "': '*'}", NULL, false},
        {"'StringLikeIfExists': {'" PCR0 "': 'x'}", NULL, true},
        {"'StringNotLike': {'" PCR0 "': 'ab*'}", "ab01", false},
        {"'StringNotLike': {'" PCR0 "': ['x*', 'y*']}", "ab01", true},
        {"'StringNotLike': {'" PCR0 "': '*'}", NULL, true},
        {"'StringNotLikeIfExists': {'" PCR0 "': '*'}", NULL, true},
        {"'Null': {'" PCR0 "': 'true'}", NULL, true},
        {"'Null': {'" PCR0 "': 'true'}", "x", false},
        {"'Null': {'" PCR0 "': 'false'}", NULL, false},
        {"'Null': {'" PCR0 "': false}", "x", true},
        {"'Null': {'" PCR0 "': true}", NULL, true},
        {"'Null': {'" PCR0 "': ['true', 'false']}", NULL, true},
        {"'Null': {'" PCR0 "': 'false'}", "", true},
        {"'Bool': {'" PCR0 "': 'true'}", "true", true},
        {"'Bool': {'" PCR0 "': true}", "True", true},
        {"'Bool': {'" PCR0 "': 'true'}", "false", false},
        {"'Bool': {'" PCR0 "': 'false'}", "false", true},
        {"'Bool': {'" PCR0 "': 'false'}", NULL, false},
        {"'BoolIfExists': {'" PCR0 "': 'false'}", NULL, true},
        {"'BoolIfExists': {'" PCR0 "': 'false'}", "true", false},
        {"", NULL, true},
        /* several keys and operators: all of them */
        {"'StringEquals': {'" PCR0 "': 'ab01', '" REGION "': 'eu'}", "ab01", true},
        {"'StringEquals': {'" PCR0 "': 'ab01', '" REGION "': 'us'}", "ab01", false},
        {"'StringEquals': {'" PCR0 "': 'ab01'}, 'StringLike': {'" REGION "': 'e*'}", "ab01", true},
        {"'StringEquals': {'" PCR0 "': 'ab01'}, 'StringLike': {'" REGION "': 'u*'}", "ab01", false},
        {"'StringEquals': {'" PCR0 "': 'ab01'}, 'Null': {'" PCR0 "': 'true'}", "ab01", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[512];
        snprintf(text, sizeof text, CONDITION("%s"), rows[i].condition);
        struct row row = {text,
                          {.attributes = {REGION, "eu", PCR0, rows[i].value}},
                          rows[i].want ? POLICY_ALLOWED : POLICY_NOT_ALLOWED};
        if (rows[i].value == NULL)
            row.request.attributes[2] = NULL;
        check_rows(&row, 1);
    }
}

/* In 2008-10-17 "${" is text like any other. */
static void variables_are_newer_than_2008(void **state)
{
    (void)state;
    static const struct row row = {"{'Version': '2008-10-17', 'Statement': " STATEMENT(
                                       "Allow", "'*'", "'Action': 'kms:*'",
                                       ", 'Condition': {'StringEquals': {'" PCR0 "': '${x}'}}") "}",
                                   {.attributes = {PCR0, "${x}"}},
                                   POLICY_ALLOWED};
    check_rows(&row, 1);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *policy;
        const char *cause;
    } rows[] = {
        {"", "not strict JSON: unexpected end at byte 0"},
        {"{'Version': '2012-10-17', 'Version': '2012-10-17'}", "not strict JSON: a second member"},
        {"[]", "the policy is not an object"},
        {"{'Statement': []}", "Version is neither"},
        {"{'Version': '2012-10-18', 'Statement': []}", "Version is neither"},
        {"{'Version': '2012-10-17'}", "no Statement"},
        {"{'Version': '2012-10-17', 'Statement': []}", "Statement is neither"},
        {"{'Version': '2012-10-17', 'Statement': 'x'}", "Statement is neither"},
        {"{'Version': '2012-10-17', 'Statement': [], 'Id': 1}", "Id is not a string"},
        {"{'Version': '2012-10-17', 'Statements': []}", "member \"Statements\" of the policy"},
        {POLICY("1"), "statement 1: not an object"},
        {POLICY(ANYBODY ", {'Sid': 'Mine'}"), "statement 2 (Mine): no Effect"},
        {POLICY("{'Effect': 'Allow'}"), "statement 1: no Principal"},
        {POLICY("{'Effect': 'Allow', 'Principal': '*'}"), "statement 1: no Action"},
        {POLICY("{'Effect': 'Allow', 'Principal': '*', 'Action': '*'}"),
         "statement 1: no Resource"},
        {POLICY("{'Effect': 'allow'}"), "Effect is neither Allow nor Deny"},
        {POLICY("{'Effect': true}"), "Effect is neither Allow nor Deny"},
        {POLICY("{'Sid': 7}"), "Sid is not a string"},
        {POLICY("{'Sid': '\\ud800'}"), "Sid is not UTF-8"},
        {ALLOW(", 'NotPrincipal': '*'"), "member \"NotPrincipal\" is not supported"},
        {ALLOW(", 'NotResource': '*'"), "member \"NotResource\" is not supported"},
        {ALLOW(", 'action': '*'"), "member \"action\" is not supported"},
        {ALLOW(", 'NotAction': 'kms:X'"), "both Action and NotAction"},
        {POLICY("{'Principal': 'x'}"), "Principal is neither"},
        {POLICY("{'Principal': ['*']}"), "Principal is neither"},
        {POLICY("{'Principal': {}}"), "Principal has other members"},
        {POLICY("{'Principal': {'Service': 'x'}}"), "Principal has other members"},
        {POLICY("{'Principal': {'AWS': '*', 'Service': 'x'}}"), "Principal has other members"},
        {POLICY("{'Principal': {'AWS': []}}"), "Principal is empty"},
        {POLICY("{'Principal': {'AWS': [1]}}"), "Principal is not a string"},
        {POLICY("{'Principal': {'AWS': '1234'}}"), "principal 1234 is neither"},
        {POLICY("{'Principal': {'AWS': '11112222333x'}}"), "is neither *, an account nor"},
        {POLICY("{'Principal': {'AWS': ''}}"), "is neither *, an account nor"},
        {POLICY("{'Principal': {'AWS': 'arn:aws:iam::" ACCOUNT ":role/*'}}"), "is neither *, an"},
        {POLICY("{'Principal': {'AWS': 'arn:aws:iam::" ACCOUNT ":'}}"), "is neither *, an"},
        {POLICY("{'Principal': {'AWS': 'arn:aws:iam::1:root'}}"), "is neither *, an account"},
        {POLICY("{'Principal': {'AWS': 'arn:aws:s3::" ACCOUNT ":x'}}"), "is neither *, an account"},
        {POLICY("{'Action': []}"), "Action is empty"},
        {POLICY("{'Action': {}}"), "Action is not a string"},
        {POLICY("{'Action': 'Decrypt'}"), "action Decrypt is not service:name"},
        {POLICY("{'Resource': 'key/1'}"), "resource key/1 is neither * nor an ARN"},
        {POLICY("{'Resource': 'arn:aws:kms:::${x}'}"), "Resource has a policy variable"},
        {ALLOW(", 'Condition': []"), "Condition is not an object"},
        {CONDITION("'ArnLike': {'aws:SourceArn': '*'}"), "operator ArnLike is not supported"},
        {CONDITION("'stringequals': {'kms:X': '*'}"), "operator stringequals is not supported"},
        {CONDITION("'IfExists': {'kms:X': '*'}"), "operator IfExists is not supported"},
        {CONDITION("'NullIfExists': {'kms:X': 'true'}"), "operator NullIfExists is not supported"},
        {CONDITION("'ForAnyValue:StringEquals': {'kms:X': 'a'}"), "is not supported"},
        {CONDITION("'StringEquals': {}"), "StringEquals names no condition key"},
        {CONDITION("'StringEquals': 'x'"), "StringEquals names no condition key"},
        {CONDITION("'StringEquals': {'x': 'y'}"), "condition key x is not service:name"},
        {CONDITION("'StringEquals': {'kms:X': []}"), "the value of a condition is empty"},
        {CONDITION("'StringEquals': {'kms:X': 1}"), "the value of a condition is not a string"},
        {CONDITION("'StringEquals': {'kms:X': true}"), "the value of a condition is not a string"},
        {CONDITION("'StringEquals': {'kms:X': '${aws:x}'}"), "has a policy variable"},
        {CONDITION("'Bool': {'kms:X': 'yes'}"), "Bool kms:X is neither true nor false"},
        {CONDITION("'Null': {'kms:X': 'True'}"), "Null kms:X is neither true nor false"},
        {CONDITION("'Null': {'kms:X': null}"), "the value of a condition is not a string"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {.code = ERROR_NONE, .cause = ""};
        struct policy *policy = policy_of(rows[i].policy, &err);
        policy_free(policy);
        if (policy != NULL)
            fail_msg("accepted %s", rows[i].policy);
        assert_int_equal(err.code, ERROR_FORMAT);
        if (strstr(err.cause, rows[i].cause) == NULL)
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].policy, err.cause, rows[i].cause);
    }
    BUFFER_AUTO large;
    buffer_init(&large, 2 * POLICY_TEXT_MAX);
    for (int i = 0; i <= POLICY_TEXT_MAX; i++)
        buffer_byte(&large, ' ');
    struct error err;
    assert_null(policy_new(buffer_bytes(&large), &err));
    assert_string_equal(err.cause, "longer than 32768 bytes");
}

static void explain(void *context, const struct policy_finding *f)
{
    struct buffer *out = context;
    buffer_append(out, f->statement);
    buffer_printf(out, " %s ", f->deny ? "denies" : "allows");
    buffer_append(out, f->condition);
    if (f->key.len > 0)
        buffer_byte(out, ' ');
    buffer_append(out, f->key);
    buffer_text(out, ": ");
    buffer_append(out, f->wanted);
    buffer_text(out, " / ");
    if (f->actual.at == NULL)
        buffer_text(out, "none");
    buffer_append(out, f->actual);
    buffer_text(out, f->matched ? " yes\n" : " no\n");
}

static void explains(void **state)
{
    (void)state;
    struct error err = {.cause = ""};
    struct policy *policy = policy_of(
        POLICY("{'Sid': 'Only this image', 'Effect': 'Allow', 'Principal': {'AWS': '" ROLE "'}, "
               "'Action': ['kms:Decrypt', 'kms:GenerateDataKey'], 'Resource': '*', 'Condition': "
               "{'StringEqualsIgnoreCase': {'" PCR0 "': ['aa', 'bb']}, 'Null': {'kms:X': true}}}, "
               "{'Effect': 'Deny', 'Principal': '*', 'NotAction': 'kms:Decrypt', 'Resource': '*', "
               "'Condition': {'StringEquals': {'" REGION "': ''}}}"),
        &err);
    assert_string_equal(err.cause, "");
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    struct request request = {.attributes = {PCR0, "00", REGION, ""}};
    assert_int_equal(evaluate(policy, &request, explain, &out), POLICY_NOT_ALLOWED);
    assert_bytes(buffer_bytes(&out),
                 "Only this image allows Principal: " ROLE " / " ROLE " yes\n"
                 "Only this image allows Action: kms:Decrypt | kms:GenerateDataKey / kms:Decrypt "
                 "yes\n"
                 "Only this image allows Resource: * / " KEY " yes\n"
                 "Only this image allows StringEqualsIgnoreCase " PCR0 ": aa | bb / 00 no\n"
                 "Only this image allows Null kms:X: true / none yes\n"
                 "statement 2 denies Principal: * / " ROLE " yes\n"
                 "statement 2 denies NotAction: kms:Decrypt / kms:Decrypt no\n"
                 "statement 2 denies Resource: * / " KEY " yes\n"
                 "statement 2 denies StringEquals " REGION ":  /  yes\n");
    policy_free(policy);
}

static const struct bytes *value_of(const struct policy_attributes *a, const char *name)
{
    for (size_t i = 0; i < a->count; i++)
        if (bytes_equal_text(a->items[i].name, name))
            return &a->items[i].value;
    return NULL;
}

static void attributes_of_a_document(void **state)
{
    (void)state;
    uint8_t full[PCR_SIZE], digits[2 * PCR_SIZE];
    memset(full, 0xAB, sizeof full);
    memset(digits, 'a', sizeof digits);
    for (size_t i = 1; i < sizeof digits; i += 2)
        digits[i] = 'b';
    struct attestation document = {.pcr_present = UINT32_C(1) | UINT32_C(1) << 31};
    document.pcr[0] = bytes_of(full, sizeof full);
    document.pcr[5] = bytes_of(full, sizeof full); /* not listed */
    document.pcr[31] = bytes_of(full, 2);
    struct policy_attributes a;
    policy_attributes_init(&a);
    char passing[] = "pay=1";
    policy_attributes_add(&a, POLICY_CONTEXT_PREFIX, bytes_text("app"), bytes_text(passing));
    memset(passing, 'x', sizeof passing - 1); /* it was copied */
    policy_attributes_add(&a, "kms:Empty", bytes_of(NULL, 0), bytes_of(NULL, 0));
    policy_attributes_add_document(&a, &document);
    policy_attributes_add_register(&a, PCR_COUNT, bytes_of(full, sizeof full)); /* none */
    assert_true(policy_attributes_settle(&a));
    assert_int_equal(a.count, 5);
    assert_bytes(*value_of(&a, "kms:EncryptionContext:app"), "pay=1");
    assert_int_equal(value_of(&a, "kms:Empty")->len, 0);
    assert_true(bytes_equal(*value_of(&a, POLICY_IMAGE_KEY), bytes_of(digits, sizeof digits)));
    assert_true(bytes_equal(*value_of(&a, PCR0), bytes_of(digits, sizeof digits)));
    assert_bytes(*value_of(&a, POLICY_REGISTER_PREFIX "PCR31"), "abab");
    policy_attributes_clear(&a);
}

static void attributes_have_a_bound(void **state)
{
    (void)state;
    static char value[4096];
    memset(value, 'v', sizeof value);
    struct policy_attributes a;
    policy_attributes_init(&a);
    for (size_t i = 0; i < 100; i++) /* more items than there is room for at first */
        policy_attributes_add(&a, "kms:", bytes_text("x"), bytes_of(value, sizeof value));
    assert_int_equal(a.count, 100);
    assert_true(policy_attributes_settle(&a));
    assert_bytes(a.items[99].name, "kms:x");
    assert_int_equal(a.items[99].value.at[4095], 'v');
    for (size_t i = 0; i < 100; i++)
        policy_attributes_add(&a, "kms:", bytes_text("x"), bytes_of(value, sizeof value));
    assert_false(policy_attributes_settle(&a));
    policy_attributes_clear(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(effects),
        cmocka_unit_test(actions),
        cmocka_unit_test(principals),
        cmocka_unit_test(resources),
        cmocka_unit_test(conditions),
        cmocka_unit_test(variables_are_newer_than_2008),
        cmocka_unit_test(refused),
        cmocka_unit_test(explains),
        cmocka_unit_test(attributes_of_a_document),
        cmocka_unit_test(attributes_have_a_bound),
    };
    return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
