/* SPDX-License-Identifier: Apache-2.0 */
/* Checks of enclaved: its state, its credentials, and why it has no session key. */
#include <stdio.h>

#include "base/clock.h"
#include "formats/clock_parse.h"
#include "host/client/client.h"
#include "host/credentials/credentials.h"
#include "host/doctor/doctor.h"
#include "host/kms_hints.h"
#include "host/report.h"

/* Failures of the session key, by code. Those with a hint in kms_hints.c are explained there. */
static const struct {
    const char *code, *why, *remedy;
} explanations[] = {
    {"kms_denied", "KMS refused", "look up the type that KMS gave"},
    {"relay_unreachable", "nothing listens at the relay's address",
     "on the parent: enclavectl relay --listen vsock:any:8000 --destination "
     "kms.REGION.amazonaws.com:443, and kms.relay: vsock:3:8000"},
    {"tls_failed", "no TLS connection to KMS through the relay",
     "the relay must be raw TCP, not an HTTP proxy, and lead to port 443"},
    {"credentials_expired", "the AWS credentials have expired",
     "run enclavectl configure --watch, which renews them in time"},
    {"no_credentials", "nobody has delivered AWS credentials",
     "run enclavectl configure --watch on the parent"},
    {"no_wrapped_tsk", "nobody has delivered a wrapped TSK",
     "run enclavectl configure --wrapped-tsk-file FILE"},
    {"wrapped_tsk_not_pinned", "the wrapped TSK that was delivered is none that the image pins",
     "deliver the one that it pins, or build the image anew with the new hash"},
    {"key_mismatch", "KMS unwrapped the TSK under a different key than the pinned one",
     "wrap a TSK under the pinned key and deliver it"},
    {"nsm_failed", "the Nitro Security Module gave no attestation document",
     "run enclavectl doctor where enclaved runs; a simulated NSM may have ended"},
    {"kms_throttled", "KMS is throttling", "try again; raise the account's KMS quota"},
    {"kms_unavailable", "KMS answered with an internal failure, or too late",
     "try again; see the health of KMS in this region"},
    {"kms_bad_response", "something that is not KMS answered", "check the relay's target"},
    {"envelope_invalid", "KMS encrypted the answer to a different recipient",
     "deliver the TSK again; if that does not help, the relay's target is not KMS"},
    {"tsk_length", "the wrapped data is not a key of 32 bytes",
     "wrap a new TSK: aws kms generate-data-key-without-plaintext --key-spec AES_256"},
    {"deadline", "KMS did not answer in time", "check the relay and its network"},
};

static void add_failure(struct doctor *doctor, const char *code, const char *why,
                        const char *remedy, const char *details)
{
    doctor_add(doctor, "session key", CHECK_FAIL, remedy, "%s: %s%s%.280s%s", code, why,
               details[0] != '\0' ? " (" : "", details, details[0] != '\0' ? ")" : "");
}

/*
 * Adds a failed check that explains a failure of the session key. details: KMS's type and message,
 * and the cause, as far as they are known.
 */
static void explain(struct doctor *doctor, const char *code, const char *details)
{
    const struct kms_hint *hint = kms_hint(code, details);
    doctor->denied = hint != NULL && strcmp(hint->needle, "AccessDenied") == 0;
    if (hint != NULL) {
        add_failure(doctor, code, hint->why, hint->remedy, details);
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(explanations); i++) {
        if (strcmp(explanations[i].code, code) != 0)
            continue;
        add_failure(doctor, code, explanations[i].why, explanations[i].remedy, details);
        return;
    }
    doctor_add(doctor, "session key", CHECK_FAIL, "see docs/protocol.md for this code",
               "%.60s: %.400s", code, details);
}

/* Appends the text of a string member, after ": " if it is not the first. */
static void append_detail(struct buffer *out, const struct json *doc, json_value object,
                          const char *name)
{
    json_value v = json_member(doc, object, name);
    if (v == JSON_NONE || json_type(doc, v) != JSON_STRING)
        return;
    if (out->len > 0)
        buffer_text(out, ": ");
    append_json_text(out, doc, v);
}

static void explain_last_error(struct doctor *doctor, const struct json *doc, json_value last)
{
    BUFFER_AUTO code;
    BUFFER_AUTO details;
    buffer_init(&code, 256);
    buffer_init(&details, 8192);
    append_json_text(&code, doc, json_member(doc, last, "code"));
    buffer_byte(&code, 0);
    json_value kms = json_member(doc, last, "kms");
    if (kms != JSON_NONE) {
        append_detail(&details, doc, kms, "type");
        append_detail(&details, doc, kms, "message");
    }
    append_detail(&details, doc, last, "cause");
    buffer_byte(&details, 0);
    explain(doctor, code.failed ? "unknown" : (const char *)code.at,
            details.failed ? "" : (const char *)details.at);
}

static void check_credentials(struct doctor *doctor, const struct json *doc)
{
    static const char remedy[] = "run enclavectl configure --watch, which renews them in time";
    json_value v = json_member(doc, 0, "credentials_expire");
    BUFFER_AUTO text;
    int64_t expires;
    buffer_init(&text, 64);
    if (v == JSON_NONE || json_type(doc, v) != JSON_STRING || !json_string(doc, v, &text) ||
        !clock_parse(buffer_bytes(&text), &expires))
        return; /* unknown: nothing to report */
    int64_t rest = expires - clock_wall_us();
    char when[ISO_Z_SIZE];
    iso_z(when, expires);
    if (rest <= 0)
        doctor_add(doctor, "credentials", CHECK_FAIL, remedy, "expired at %s", when);
    else if (rest < DOCTOR_SOON_US)
        doctor_add(doctor, "credentials", CHECK_WARN, remedy, "expire soon, at %s", when);
    else
        doctor_add(doctor, "credentials", CHECK_OK, NULL, "good until %s", when);
}

static void check_state(struct doctor *doctor, const struct json *doc)
{
    json_value state = json_member(doc, 0, "state");
    json_value last = json_member(doc, 0, "last_error");
    bool failed = last != JSON_NONE && json_type(doc, last) == JSON_OBJECT;
    if (json_string_is(doc, state, "ready"))
        doctor_add(doctor, "service", CHECK_OK, NULL, "enclaved is ready");
    else if (json_string_is(doc, state, "starting"))
        doctor_add(doctor, "service", CHECK_WARN, "ask again in a moment", "enclaved is starting");
    else if (json_string_is(doc, state, "awaiting_configuration"))
        doctor_add(doctor, "service", failed ? CHECK_WARN : CHECK_FAIL,
                   failed ? NULL : "run enclavectl configure",
                   "enclaved has no session key and awaits its configuration");
    else
        doctor_add(doctor, "service", CHECK_FAIL, "check that enclaved listens there",
                   "the answer to health has an unknown state, or none");
    if (failed)
        explain_last_error(doctor, doc, last);
}

static void take_key_arn(struct doctor *doctor, const struct json *doc)
{
    json_value v = json_member(doc, 0, "kms_key");
    BUFFER_AUTO text;
    buffer_init(&text, sizeof doctor->key_arn - 1);
    if (v != JSON_NONE && json_type(doc, v) == JSON_STRING && json_string(doc, v, &text))
        snprintf(doctor->key_arn, sizeof doctor->key_arn, "%.*s", (int)text.len,
                 text.len > 0 ? (const char *)text.at : "");
}

void doctor_service(struct doctor *doctor)
{
    CLIENT_AUTO client;
    struct error err = {0};
    client_init(&client, doctor->common.timeout_ms, FRAME_LIMIT, -1);
    if (!client_connect(&client, doctor->common.to, &err) ||
        !client_ask(&client, bytes_text("{\"op\": \"health\"}"), &err)) {
        doctor_add(doctor, "service", CHECK_FAIL, remedy_for_name(error_name(err.code)), "%s",
                   err.cause[0] != '\0' ? err.cause : error_text(err.code));
        return;
    }
    if (client_refused(&client)) {
        doctor_add(doctor, "service", CHECK_FAIL, "check that enclaved listens there",
                   "%.60s answers, but refuses to report its state", doctor->common.to);
        return;
    }
    take_key_arn(doctor, &client.answer);
    buffer_append(&doctor->health, json_raw(&client.answer, 0));
    check_state(doctor, &client.answer);
    check_credentials(doctor, &client.answer);
}
