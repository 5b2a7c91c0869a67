/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compares a key policy with measurements, offline: how KMS would decide on a Decrypt whose
 * attestation document has these PCRs, and because of which conditions.
 */
#include <stdio.h>
#include <strings.h>

#include "host/doctor/doctor.h"
#include "host/keypolicy/policy_question.h"
#include "system/file.h"

/* A text for "%.*s", cut where it is too long for a line. */
#define SHOWN(text) \
    (int)((text).len < 200 ? (text).len : 200), (text).len > 0 ? (const char *)(text).at : ""

struct comparison {
    struct doctor *doctor;
    struct policy_cursor cursor;
};

static const char *remedy_for(const struct policy_finding *finding)
{
    static const char context[] = "kms:EncryptionContext:";
    if (finding->deny)
        return "change the Deny statement, or what its condition compares";
    if (finding->key.len >= sizeof context - 1 &&
        strncasecmp((const char *)finding->key.at, context, sizeof context - 1) == 0)
        return "give the pinned context with --encryption-context, or correct the policy";
    return "put the measurement of this image into the policy, or rebuild it";
}

static void explain(void *context, const struct policy_finding *finding)
{
    struct comparison *comparison = context;
    policy_cursor_next(&comparison->cursor, finding);
    if (finding->key.len == 0)
        return;
    struct bytes actual = finding->actual.at != NULL ? finding->actual : bytes_text("none");
    /* Only these matter: a condition of an Allow that fails, or one of a Deny that holds. */
    if (comparison->cursor.aside || finding->matched != finding->deny)
        return;
    doctor_add(comparison->doctor, "condition", CHECK_FAIL, remedy_for(finding),
               "%.*s, %.*s %.*s: wanted %.*s, actual %.*s", SHOWN(finding->statement),
               SHOWN(finding->condition), SHOWN(finding->key), SHOWN(finding->wanted),
               SHOWN(actual));
}

static void evaluate(struct doctor *doctor, const struct policy *policy,
                     const struct policy_question *question, bool debug)
{
    size_t before = doctor->count;
    struct comparison comparison = {.doctor = doctor};
    const struct policy_request request = policy_question_request(question);
    const struct bytes principal = request.principal_arn;
    enum policy_effect effect = policy_evaluate(policy, &request, explain, &comparison);
    if (debug)
        doctor_add(doctor, "debug mode", effect == POLICY_ALLOWED ? CHECK_WARN : CHECK_FAIL,
                   "run the enclave without --debug-mode",
                   "PCR0, PCR1 and PCR2 are zero: an enclave in debug mode");
    if (effect != POLICY_ALLOWED) {
        doctor_add(doctor, "policy", CHECK_FAIL, "see the conditions above, or give --principal",
                   "%s kms:Decrypt to %.*s",
                   effect == POLICY_NOT_ALLOWED ? "does not allow" : "explicitly denies",
                   SHOWN(principal));
        return;
    }
    doctor->count = before; /* those conditions do not matter: another statement allows it */
    if (debug)
        doctor_add(
            doctor, "debug mode", CHECK_WARN, "run the enclave without --debug-mode",
            "PCR0, PCR1 and PCR2 are zero: an enclave in debug mode, and the policy allows it");
    doctor_add(doctor, "policy", CHECK_OK, NULL, "allows kms:Decrypt to %.*s with these PCRs",
               SHOWN(principal));
    if (doctor->denied && !debug && doctor->measurements != NULL)
        doctor_add(
            doctor, "running", CHECK_FAIL,
            "see Flags and Measurements in nitro-cli describe-enclaves; run this image, "
            "without --debug-mode, and deliver credentials of that role",
            "KMS refused the running enclave, but the policy allows these PCRs: this image runs "
            "in debug mode (its PCRs are zero), or another image or role is in use");
}

/* The file of --measurements, else the PCRs of the enclave that answered at --to. */
static bool read_measurements(const struct doctor *doctor, struct buffer *out, struct error *err)
{
    if (doctor->measurements != NULL)
        return file_read(doctor->measurements, out, err);
    if (doctor->health.len == 0)
        return error_set(err, ERROR_FORMAT,
                         "the service did not report its measurements: give --measurements");
    buffer_append(out, buffer_bytes(&doctor->health));
    return !out->failed || error_set(err, ERROR_FORMAT, "the answer to health is too long");
}

static bool add_pairs(struct policy_question *question, const struct json *doc, json_value context,
                      struct error *err)
{
    for (json_value n = json_first(doc, context); n != JSON_NONE; n = json_next(doc, context, n)) {
        BUFFER_AUTO name;
        BUFFER_AUTO value;
        buffer_init(&name, DOCTOR_ANSWER_MAX);
        buffer_init(&value, DOCTOR_ANSWER_MAX);
        if (!json_string(doc, n, &name) || !json_string(doc, n + 1, &value))
            return error_set(err, ERROR_FORMAT, "the pinned encryption context is malformed");
        policy_attributes_add(&question->attributes, POLICY_CONTEXT_PREFIX, buffer_bytes(&name),
                              buffer_bytes(&value));
    }
    return true;
}

/* Without --encryption-context: the one that the enclave pins, as it reports. */
static bool add_pinned_context(const struct doctor *doctor, struct policy_question *question,
                               struct error *err)
{
    struct json doc;
    if (doctor->context_count > 0 || doctor->health.len == 0)
        return true;
    json_init(&doc, JSON_DEPTH);
    bool good = json_parse(&doc, buffer_bytes(&doctor->health), err);
    json_value context = good ? json_member(&doc, 0, "encryption_context") : JSON_NONE;
    if (context != JSON_NONE && json_type(&doc, context) == JSON_OBJECT)
        good = add_pairs(question, &doc, context, err);
    json_clear(&doc);
    return good;
}

static bool compare(struct doctor *doctor, struct json *policy_doc, struct json *pcrs_doc,
                    struct policy_question *question, struct error *err)
{
    struct registers registers;
    BUFFER_AUTO policy_text;
    BUFFER_AUTO pcrs_text;
    buffer_init(&policy_text, POLICY_TEXT_MAX);
    buffer_init(&pcrs_text, MEASUREMENTS_MAX);
    if (!file_read(doctor->policy, &policy_text, err) ||
        !read_measurements(doctor, &pcrs_text, err) ||
        !json_parse(policy_doc, buffer_bytes(&policy_text), err) ||
        !json_parse(pcrs_doc, buffer_bytes(&pcrs_text), err) ||
        !registers_from_json(&registers, pcrs_doc, err) ||
        !add_pinned_context(doctor, question, err) ||
        !policy_question_set(question, policy_doc, doctor->principal, &registers, doctor->context,
                             doctor->context_count, err))
        return false;
    struct policy *policy = policy_new(buffer_bytes(&policy_text), err);
    if (policy == NULL)
        return false;
    evaluate(doctor, policy, question, registers_is_debug(&registers));
    policy_free(policy);
    return true;
}

void doctor_policy(struct doctor *doctor)
{
    struct json policy_doc, pcrs_doc;
    struct error err = {0};
    json_init(&policy_doc, JSON_DEPTH);
    json_init(&pcrs_doc, JSON_DEPTH);
    struct policy_question question;
    policy_question_init(&question);
    if (doctor->key_arn[0] != '\0')
        question.key_arn = doctor->key_arn;
    if (!compare(doctor, &policy_doc, &pcrs_doc, &question, &err))
        doctor_add(doctor, "policy", CHECK_FAIL, "correct the file", "%s",
                   err.cause[0] != '\0' ? err.cause : error_text(err.code));
    policy_question_clear(&question);
    json_clear(&policy_doc);
    json_clear(&pcrs_doc);
}
