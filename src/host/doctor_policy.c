/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key policy against measurements, offline: what KMS would say to a Decrypt whose attestation
 * document has these PCRs, and which conditions make it say so.
 */
#include <stdio.h>

#include "codec/policy.h"
#include "host/doctor.h"
#include "host/file.h"

#define PCRS          32
#define PCR_HEX       96
#define NAME_SIZE     300
#define ANY_PRINCIPAL "arn:aws:iam::000000000000:root"
#define ANY_KEY       "arn:aws:kms:us-east-1:000000000000:key/any"

struct attributes {
    struct policy_attribute items[1 + PCRS + CONTEXT_PAIRS];
    char names[1 + PCRS + CONTEXT_PAIRS][NAME_SIZE];
    size_t count;
};

struct comparison {
    struct doctor *doctor;
    char statement[80];
    bool aside; /* the statement is about another action or another principal */
};

static void add_attribute(struct attributes *all, struct bytes value, const char *name)
{
    if (all->count == ARRAY_LEN(all->items))
        return;
    snprintf(all->names[all->count], NAME_SIZE, "%s", name);
    all->items[all->count].name = bytes_text(all->names[all->count]);
    all->items[all->count].value = value;
    all->count++;
}

static bool all_zero(struct bytes hex)
{
    for (size_t i = 0; i < hex.len; i++)
        if (hex.at[i] != '0')
            return false;
    return true;
}

/* The object that holds PCR0: the document, its Measurements, or the first of a list of these. */
static json_value measurements(const struct json *doc)
{
    json_value v = json_type(doc, 0) == JSON_ARRAY ? json_first(doc, 0) : 0;
    if (v == JSON_NONE)
        return v;
    json_value inner = json_member(doc, v, "Measurements");
    if (inner == JSON_NONE)
        inner = json_member(doc, v, "measurements"); /* of health */
    v = inner != JSON_NONE ? inner : v;
    return json_member(doc, v, "PCR0") != JSON_NONE ? v : JSON_NONE;
}

/* {"PCR0": hex, "PCR1": …}, plain or under Measurements, as nitro-cli prints them. */
static bool take_pcrs(const struct json *doc, struct attributes *all, bool *debug,
                      struct error *err)
{
    json_value from = measurements(doc);
    if (from == JSON_NONE)
        return error_set(err, ERROR_FORMAT, "the measurements have no PCR0");
    *debug = true;
    for (int i = 0; i < PCRS; i++) {
        char name[64];
        snprintf(name, sizeof name, "PCR%d", i);
        json_value v = json_member(doc, from, name);
        if (v == JSON_NONE)
            continue;
        struct bytes raw = json_raw(doc, v);
        if (json_type(doc, v) != JSON_STRING || raw.len != PCR_HEX + 2)
            return error_set(err, ERROR_FORMAT, "%s of the measurements is not %d hex digits", name,
                             PCR_HEX);
        struct bytes value = bytes_of(raw.at + 1, PCR_HEX);
        *debug = *debug && (i > 2 || all_zero(value));
        if (i == 0)
            add_attribute(all, value, "kms:RecipientAttestation:ImageSha384");
        snprintf(name, sizeof name, "kms:RecipientAttestation:PCR%d", i);
        add_attribute(all, value, name);
    }
    return true;
}

static void take_context(const struct doctor *doctor, struct attributes *all)
{
    for (size_t i = 0; i < doctor->context_count; i++) {
        char name[NAME_SIZE];
        const char *equals = strchr(doctor->context[i], '=');
        snprintf(name, sizeof name, "kms:EncryptionContext:%.*s",
                 (int)(equals - doctor->context[i]), doctor->context[i]);
        add_attribute(all, bytes_text(equals + 1), name);
    }
}

/* The first principal in a statement that asks for an attestation: the one the policy is about. */
static bool find_principal(const struct json *doc, struct buffer *out)
{
    json_value list = json_member(doc, 0, "Statement");
    bool single = list != JSON_NONE && json_type(doc, list) == JSON_OBJECT;
    json_value s = list == JSON_NONE ? JSON_NONE : single ? list : json_first(doc, list);
    for (; s != JSON_NONE; s = single ? JSON_NONE : json_next(doc, list, s)) {
        json_value principal = json_member(doc, s, "Principal");
        json_value aws = principal == JSON_NONE ? JSON_NONE : json_member(doc, principal, "AWS");
        if (json_member(doc, s, "Condition") == JSON_NONE || aws == JSON_NONE)
            continue;
        if (json_type(doc, aws) == JSON_ARRAY)
            aws = json_first(doc, aws);
        if (aws != JSON_NONE && json_type(doc, aws) == JSON_STRING && json_string(doc, aws, out) &&
            out->len > 12)
            return true;
        buffer_reset(out);
    }
    return false;
}

/* The twelve digits of an ARN's account field. */
static struct bytes account_of(struct bytes arn)
{
    size_t colons = 0;
    for (size_t i = 0; i < arn.len; i++)
        if (arn.at[i] == ':' && ++colons == 4 && arn.len - i > 12)
            return bytes_of(arn.at + i + 1, 12);
    return bytes_text("000000000000");
}

static void explain(void *context, const struct policy_finding *finding)
{
    struct comparison *comparison = context;
    char statement[80];
    snprintf(statement, sizeof statement, "%.*s", (int)finding->statement.len,
             finding->statement.len > 0 ? (const char *)finding->statement.at : "");
    if (strcmp(statement, comparison->statement) != 0) {
        snprintf(comparison->statement, sizeof comparison->statement, "%s", statement);
        comparison->aside = false;
    }
    if (finding->key.len == 0) {
        comparison->aside = comparison->aside || !finding->matched;
        return;
    }
    /* What matters: a condition of an Allow that fails, or of a Deny that holds. */
    if (comparison->aside || finding->matched != finding->deny)
        return;
    doctor_add(comparison->doctor, "condition", CHECK_FAIL,
               finding->deny ? "change the Deny statement, or what it speaks of"
                             : "put the measurement of this image into the policy, or rebuild it",
               "%s, %.*s %.*s: wanted %.*s, actual %.*s", statement, (int)finding->condition.len,
               (const char *)finding->condition.at, (int)finding->key.len,
               (const char *)finding->key.at,
               (int)(finding->wanted.len < 200 ? finding->wanted.len : 200),
               finding->wanted.len > 0 ? (const char *)finding->wanted.at : "",
               finding->actual.at != NULL ? (int)finding->actual.len : 4,
               finding->actual.at != NULL ? (const char *)finding->actual.at : "none");
}

static void evaluate(struct doctor *doctor, const struct policy *policy, struct bytes principal,
                     const struct attributes *all, bool debug)
{
    size_t before = doctor->count;
    struct comparison comparison = {.doctor = doctor};
    const struct policy_request request = {
        .principal_arn = principal,
        .account = account_of(principal),
        .action = bytes_text("kms:Decrypt"),
        .resource = bytes_text(doctor->key_arn[0] != '\0' ? doctor->key_arn : ANY_KEY),
        .attributes = all->items,
        .attribute_count = all->count,
    };
    enum policy_effect effect = policy_evaluate(policy, &request, explain, &comparison);
    if (debug)
        doctor_add(doctor, "debug mode", effect == POLICY_ALLOWED ? CHECK_WARN : CHECK_FAIL,
                   "run the enclave without --debug-mode",
                   "PCR0, PCR1 and PCR2 are zero: an enclave in debug mode");
    if (effect != POLICY_ALLOWED) {
        doctor_add(doctor, "policy", CHECK_FAIL, "see the conditions above, or give --principal",
                   "%s kms:Decrypt to %.*s",
                   effect == POLICY_NOT_ALLOWED ? "does not allow" : "explicitly denies",
                   (int)(principal.len < 200 ? principal.len : 200), (const char *)principal.at);
        return;
    }
    doctor->count = before; /* conditions of statements that another one makes up for */
    if (debug)
        doctor_add(
            doctor, "debug mode", CHECK_WARN, "run the enclave without --debug-mode",
            "PCR0, PCR1 and PCR2 are zero: an enclave in debug mode, and the policy allows it");
    doctor_add(doctor, "policy", CHECK_OK, NULL, "allows kms:Decrypt to %.*s with these PCRs",
               (int)(principal.len < 200 ? principal.len : 200), (const char *)principal.at);
    if (doctor->denied && !debug && doctor->pcrs != NULL)
        doctor_add(doctor, "running", CHECK_FAIL,
                   "see Flags and Measurements in nitro-cli describe-enclaves; run this image, "
                   "without --debug-mode, and deliver credentials of that role",
                   "KMS refused what runs, but the policy allows these PCRs: this image runs in "
                   "debug mode (its PCRs are zero), or another one runs, or under another role");
}

/* --pcrs, or without it those of the enclave that answered to --to. */
static bool read_measurements(const struct doctor *doctor, struct buffer *out, struct error *err)
{
    if (doctor->pcrs != NULL)
        return file_read(doctor->pcrs, out, err);
    if (doctor->health.len == 0)
        return error_set(err, ERROR_FORMAT,
                         "the service did not tell its measurements: give --pcrs");
    buffer_append(out, buffer_bytes(&doctor->health));
    return !out->failed || error_set(err, ERROR_FORMAT, "the answer to health is too long");
}

static bool compare(struct doctor *doctor, struct json *policy_doc, struct json *pcrs_doc,
                    struct error *err)
{
    static struct attributes all; /* large, and there is one */
    bool debug = false;
    BUFFER_AUTO policy_text;
    BUFFER_AUTO pcrs_text;
    BUFFER_AUTO principal;
    buffer_init(&policy_text, POLICY_TEXT_MAX);
    buffer_init(&pcrs_text, DOCTOR_ANSWER_MAX);
    buffer_init(&principal, 2048);
    if (!file_read(doctor->policy, &policy_text, err) ||
        !read_measurements(doctor, &pcrs_text, err) ||
        !json_parse(policy_doc, buffer_bytes(&policy_text), err) ||
        !json_parse(pcrs_doc, buffer_bytes(&pcrs_text), err) ||
        !take_pcrs(pcrs_doc, &all, &debug, err))
        return false;
    take_context(doctor, &all);
    if (doctor->principal != NULL)
        buffer_text(&principal, doctor->principal);
    else if (!find_principal(policy_doc, &principal))
        buffer_text(&principal, ANY_PRINCIPAL);
    struct policy *policy = policy_new(buffer_bytes(&policy_text), err);
    if (policy == NULL)
        return false;
    evaluate(doctor, policy, buffer_bytes(&principal), &all, debug);
    policy_free(policy);
    return true;
}

void doctor_policy(struct doctor *doctor)
{
    struct json policy_doc, pcrs_doc;
    struct error err = {0};
    json_init(&policy_doc, JSON_DEPTH);
    json_init(&pcrs_doc, JSON_DEPTH);
    if (!compare(doctor, &policy_doc, &pcrs_doc, &err))
        doctor_add(doctor, "policy", CHECK_FAIL, "correct the file", "%s",
                   err.cause[0] != '\0' ? err.cause : error_text(err.code));
    json_clear(&policy_doc);
    json_clear(&pcrs_doc);
}
