/* SPDX-License-Identifier: Apache-2.0 */
/* The KMS client: each answer of a KMS and its error; it is asked once. */
#include "tests/unit/kms_peer.h"

#include "codec/json.h"

#define DENIED(type, message) \
    "{\"__type\":\"com.amazonaws.kms#" type "\",\"message\":\"" message "\"}"
#define KEY "{\"KeyId\":\"" ARN "\","

static const struct row {
    const char *name;
    enum step steps[4];
    enum error_code code; /* ERROR_NONE: succeeds */
    unsigned status;
    const char *body;
    const char *cause; /* a part of it; NULL: any */
    const char *type;  /* of the refusal; NULL: none */
} rows[] = {
    {"constructed", {GOOD}, ERROR_NONE, 0, "", NULL, NULL},
    {"primitive, empty Plaintext", {GOOD_PRIMITIVE}, ERROR_NONE, 0, "", NULL, NULL},
    {"denied",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     DENIED("AccessDeniedException", "User: x is not authorized to perform: kms:Decrypt"),
     "KMS answered 400 AccessDeniedException",
     "AccessDeniedException"},
    {"403",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     403,
     "<html>Forbidden</html>",
     "403 without a type",
     ""},
    {"capital Message, no prefix",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     "{\"__type\":\"UnrecognizedClientException\",\"Message\":\"bad\"}",
     "400 UnrecognizedClientException",
     "UnrecognizedClientException"},
    {"an unknown refusal, control characters",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     "{\"__type\":\"a#New\\u001b[31mException\",\"message\":\"line\\nline \\u00e9\"}",
     "400 New?[31mException",
     "New?[31mException"},
    {"a refusal that repeats what was signed",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     DENIED(
         "InvalidSignatureException",
         "The request signature we calculated does not match.\\n\\nThe Canonical String for this "
         "request should have been\\n'POST\\n/\\n\\nhost:h\\nx-amz-security-token:" TOKEN "\\n'"),
     "KMS answered 400 InvalidSignatureException",
     "InvalidSignatureException"},
    {"disabled",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     DENIED("DisabledException", "x"),
     "400 DisabledException",
     "DisabledException"},
    {"wrong wrapped key",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     "{\"__type\":\"InvalidCiphertextException\"}",
     "400 InvalidCiphertextException",
     "InvalidCiphertextException"},
    {"expired token",
     {ANSWER, GOOD},
     ERROR_CREDENTIALS_EXPIRED,
     400,
     DENIED("ExpiredTokenException", "The security token included in the request is expired"),
     "400 ExpiredTokenException",
     "ExpiredTokenException"},
    {"our clock is late",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     DENIED("InvalidSignatureException", "Signature expired: 2026 is now earlier than 2027"),
     "400 InvalidSignatureException",
     "InvalidSignatureException"},
    {"our clock is early",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     DENIED("InvalidSignatureException", "Signature not yet current: 2027 is still later"),
     "400 InvalidSignatureException",
     "InvalidSignatureException"},
    {"request expired",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     400,
     DENIED("RequestExpired", ""),
     "400 RequestExpired",
     "RequestExpired"},
    {"wrong signature",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     403,
     DENIED("InvalidSignatureException", "The request signature we calculated does not match"),
     "403 InvalidSignatureException",
     "InvalidSignatureException"},
    {"500", {ANSWER, GOOD}, ERROR_KMS_UNAVAILABLE, 500, "oops", "500 without a type", ""},
    {"internal",
     {ANSWER, GOOD},
     ERROR_KMS_UNAVAILABLE,
     500,
     DENIED("KMSInternalException", ""),
     NULL,
     "KMSInternalException"},
    {"throttled",
     {ANSWER, GOOD},
     ERROR_KMS_THROTTLED,
     400,
     DENIED("ThrottlingException", "Rate exceeded"),
     NULL,
     "ThrottlingException"},
    {"a limit",
     {ANSWER, GOOD},
     ERROR_KMS_THROTTLED,
     503,
     DENIED("RequestLimitExceeded", ""),
     NULL,
     "RequestLimitExceeded"},
    {"429", {ANSWER, GOOD}, ERROR_KMS_THROTTLED, 429, "", NULL, ""},
    {"cut before TLS", {CUT, GOOD}, ERROR_RELAY, 0, "", "no TLS server", NULL},
    {"half an answer", {HALF, GOOD}, ERROR_KMS_UNAVAILABLE, 0, "", "complete", NULL},
    {"no answer", {EMPTY, GOOD}, ERROR_KMS_UNAVAILABLE, 0, "", "complete", NULL},
    {"garbage", {GARBAGE, GOOD}, ERROR_KMS_RESPONSE, 0, "", "status line", NULL},
    {"another key", {OTHER_KEY, GOOD}, ERROR_KEY_MISMATCH, 0, "", ARN, NULL},
    {"to another recipient", {OTHER_RECIPIENT, GOOD}, ERROR_ENVELOPE, 0, "", "another key", NULL},
    {"no CMS", {NOT_CMS, GOOD}, ERROR_ENVELOPE, 0, "", "BER", NULL},
    {"31 bytes", {SHORT_TSK, GOOD}, ERROR_TSK_LENGTH, 0, "", "31 bytes", NULL},
    {"a proxy", {PROXY, GOOD}, ERROR_TLS, 0, "", "wrong version number", NULL},
    {"another's certificate",
     {STRANGE_CERTIFICATE, GOOD},
     ERROR_TLS,
     0,
     "",
     "local issuer certificate",
     NULL},
    {"redirect", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 302, "{}", "302", NULL},
    {"not JSON", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 200, "<html>", "not JSON", NULL},
    {"an array", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 200, "[]", "object", NULL},
    {"empty body", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 200, "", "not JSON", NULL},
    {"no KeyId",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     "{\"CiphertextForRecipient\":\"AAAA\"}",
     "KeyId",
     NULL},
    {"KeyId twice",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     KEY "\"KeyId\":\"x\",\"CiphertextForRecipient\":\"AAAA\"}",
     "not JSON",
     NULL},
    {"KeyId no text",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     "{\"KeyId\":7,\"CiphertextForRecipient\":\"AAAA\"}",
     "KeyId",
     NULL},
    {"a longer KeyId",
     {ANSWER, GOOD},
     ERROR_KEY_MISMATCH,
     200,
     "{\"KeyId\":\"" ARN "x\",\"CiphertextForRecipient\":\"AAAA\"}",
     NULL,
     NULL},
    {"a shorter KeyId",
     {ANSWER, GOOD},
     ERROR_KEY_MISMATCH,
     200,
     "{\"KeyId\":\"1234abcd-12ab-34cd-56ef-1234567890ab\",\"CiphertextForRecipient\":\"AAAA\"}",
     NULL,
     NULL},
    {"plaintext only",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     KEY "\"Plaintext\":\"dGhpcnR5LXR3byBieXRlcyBvZiBhIGtub3duIFRTSw==\"}",
     "Recipient",
     NULL},
    {"plaintext too",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     KEY "\"Plaintext\":\"AA==\",\"CiphertextForRecipient\":\"AAAA\"}",
     "besides",
     NULL},
    {"nothing in it",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     KEY "\"Plaintext\":null}",
     "no CiphertextForRecipient",
     NULL},
    {"null in it",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     KEY "\"CiphertextForRecipient\":null}",
     "no CiphertextForRecipient",
     NULL},
    {"not base64",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     200,
     KEY "\"CiphertextForRecipient\":\"AAA\"}",
     "base64",
     NULL},
};

/* A call and all that comes of it. */
struct call {
    struct config config;
    struct kms_credentials credentials;
    struct fake_nsm nsm;
    uint8_t tsk[AEAD_KEY_SIZE];
    struct kms_refusal refusal;
    struct error err;
    bool ok;
};

static void unwrap(struct call *call, int stop_fd)
{
    static const uint8_t zero[AEAD_KEY_SIZE];
    struct nsm nsm = fake_open(&call->nsm);
    memset(call->tsk, 0xee, sizeof call->tsk);
    struct kms_call kms = {.config = &call->config,
                           .roots = peer_roots,
                           .credentials = &call->credentials,
                           .wrapped = bytes_text(wrapped_text),
                           .recipient = recipient,
                           .nsm = &nsm,
                           .stop_fd = stop_fd};
    call->ok = kms_unwrap_tsk(&kms, call->tsk, &call->refusal, &call->err);
    if (call->ok)
        assert_memory_equal(call->tsk, tsk_wanted, sizeof call->tsk);
    else
        assert_memory_equal(call->tsk, zero, sizeof call->tsk);
    /* no credential in what is logged or answered */
    const char *const texts[] = {call->err.cause, call->refusal.type, call->refusal.message};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        assert_null(strstr(texts[i], SECRET));
        assert_null(strstr(texts[i], TOKEN));
        for (const char *c = texts[i]; *c != '\0'; c++)
            assert_in_range(*c, 0x20, 0x7e);
    }
}

static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        SERVER_AUTO server = {0};
        struct address relay;
        server_start(&server, row->steps, &relay);
        server.status = row->status;
        server.body = row->body;
        server_run(&server);
        struct call call = {.config = config_at(&relay), .credentials = credentials_now()};
        unwrap(&call, -1);
        server_stop(&server);
        unsigned connections = server.connections;
        if (call.ok != (row->code == ERROR_NONE) || (!call.ok && call.err.code != row->code))
            fail_msg("%s: %s: %s", row->name, call.ok ? "ok" : error_name(call.err.code),
                     call.err.cause);
        if (connections != 1 || call.nsm.asked != 1)
            fail_msg("%s: %u connections, %u documents", row->name, connections, call.nsm.asked);
        if (row->cause != NULL && strstr(call.err.cause, row->cause) == NULL)
            fail_msg("%s: \"%s\" does not say %s", row->name, call.err.cause, row->cause);
        assert_int_equal(call.refusal.http_status, row->type != NULL ? row->status : 0);
        assert_string_equal(call.refusal.type, row->type != NULL ? row->type : "");
        assert_true(call.nsm.saw_key);
    }
}

static void keeps_the_message(void **state)
{
    (void)state;
    static const enum step steps[] = {ANSWER, END};
    BUFFER_AUTO body;
    buffer_init(&body, 1u << 16);
    buffer_text(&body, "{\"__type\":\"");
    for (int i = 0; i < 500; i++)
        buffer_byte(&body, 't');
    buffer_text(&body, "\",\"message\":\"because ");
    for (int i = 0; i < 2000; i++)
        buffer_byte(&body, 'm');
    buffer_append(&body, bytes_of("\"}", 3));
    SERVER_AUTO server = {0};
    struct address relay;
    server_start(&server, steps, &relay);
    server.status = 400;
    server.body = (const char *)body.at;
    server_run(&server);
    struct call call = {.config = config_at(&relay), .credentials = credentials_now()};
    unwrap(&call, -1);
    server_stop(&server);
    assert_int_equal(call.err.code, ERROR_KMS_DENIED);
    assert_int_equal(strlen(call.refusal.type), sizeof call.refusal.type - 1);
    assert_int_equal(strlen(call.refusal.message), sizeof call.refusal.message - 1);
    assert_memory_equal(call.refusal.message, "because mmm", 11);
}

static void assert_text_member(const struct json *doc, json_value object, const char *name,
                               const char *want)
{
    if (!json_string_is(doc, json_member(doc, object, name), want))
        fail_msg("%s is not %s", name, want);
}

static void assert_base64_member(const struct json *doc, json_value object, const char *name,
                                 const char *want)
{
    BUFFER_AUTO text;
    buffer_init(&text, 4096);
    base64_encode(&text, bytes_text(want));
    buffer_byte(&text, 0);
    assert_text_member(doc, object, name, (const char *)text.at);
}

static void check_body(struct bytes body, const char *context)
{
    struct json doc;
    struct error err = {0};
    json_init(&doc, JSON_DEPTH);
    assert_true(json_parse(&doc, body, &err));
    assert_base64_member(&doc, 0, "CiphertextBlob", wrapped_text);
    assert_text_member(&doc, 0, "KeyId", ARN);
    assert_text_member(&doc, 0, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    json_value r = json_member(&doc, 0, "Recipient");
    assert_text_member(&doc, r, "KeyEncryptionAlgorithm", "RSAES_OAEP_SHA_256");
    assert_base64_member(&doc, r, "AttestationDocument", document_text);
    json_value c = json_member(&doc, 0, "EncryptionContext");
    if (context == NULL)
        assert_int_equal(c, JSON_NONE);
    else
        assert_bytes(json_raw(&doc, c), context);
    json_clear(&doc);
}

/* What KMS sees, with and without session token and encryption context. */
static void asks_as_kms_wants(void **state)
{
    (void)state;
    static const enum step steps[] = {GOOD, END};
    static char none[] = "{}";
    for (int bare = 0; bare < 2; bare++) {
        SERVER_AUTO server = {0};
        struct address relay;
        server_start(&server, steps, &relay);
        server_run(&server);
        struct call call = {.config = config_at(&relay), .credentials = credentials_now()};
        if (bare == 1) {
            call.credentials.session_token[0] = '\0';
            call.config.encryption_context.at = (uint8_t *)none;
            call.config.encryption_context.len = 2;
        }
        unwrap(&call, -1);
        server_stop(&server);
        assert_true(call.ok);
        const uint8_t *end = memmem(server.request.at, server.request.len, "\r\n\r\n", 4);
        assert_non_null(end);
        struct bytes body =
            bytes_from(buffer_bytes(&server.request), (size_t)(end + 4 - server.request.at));
        check_body(body, bare == 1 ? NULL : CONTEXT);
        static const char *const lines[] = {
            "POST / HTTP/1.1\r\n",
            "\r\nhost: kms.eu-west-1.amazonaws.com\r\n",
            "\r\ncontent-type: application/x-amz-json-1.1\r\n",
            "\r\nx-amz-target: TrentService.Decrypt\r\n",
            "\r\nauthorization: AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/",
            "/eu-west-1/kms/aws4_request, SignedHeaders=content-type;host;x-amz-date;",
        };
        for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
            if (memmem(server.request.at, server.request.len, lines[i], strlen(lines[i])) == NULL)
                fail_msg("the request has no %s", lines[i]);
        }
        static const char token[] = "\r\nx-amz-security-token: " TOKEN "\r\n";
        bool has = memmem(server.request.at, server.request.len, token, sizeof token - 1) != NULL;
        assert_int_equal(has, bare == 0);
        assert_null(memmem(server.request.at, server.request.len, SECRET, sizeof SECRET - 1));
    }
}

static void gives_up_in_time(void **state)
{
    (void)state;
    static const enum step steps[] = {SLOW, END};
    SERVER_AUTO server = {0};
    struct address relay;
    server_start(&server, steps, &relay);
    server_run(&server);
    struct call call = {.config = config_at(&relay), .credentials = credentials_now()};
    call.config.attempt_ms = 300;
    unwrap(&call, -1);
    server_stop(&server);
    assert_int_equal(call.err.code, ERROR_DEADLINE);
    assert_int_equal(server.connections, 1);
}

static void gives_up_when_told_to(void **state)
{
    (void)state;
    static const enum step steps[] = {STOP, END};
    SERVER_AUTO server = {0};
    struct address relay;
    server_start(&server, steps, &relay);
    server_run(&server);
    struct call call = {.config = config_at(&relay), .credentials = credentials_now()};
    call.config.attempt_ms = INT64_MAX;
    unwrap(&call, server.stop_pipe[0]);
    assert_int_equal(call.err.code, ERROR_SHUTTING_DOWN);
    unwrap(&call, server.stop_pipe[0]); /* still raised: nothing is waited for */
    assert_int_equal(call.err.code, ERROR_SHUTTING_DOWN);
    server_stop(&server);
}

static void needs_a_relay(void **state)
{
    (void)state;
    struct address relay;
    int fd = bound_socket(&relay);
    struct call call = {.config = config_at(&relay), .credentials = credentials_now()};
    unwrap(&call, -1);
    close(fd);
    assert_int_equal(call.err.code, ERROR_RELAY);
    assert_non_null(strstr(call.err.cause, relay.text));
}

/* Refused before a connection is made: the relay's address leads nowhere. */
static void refuses_before_asking(void **state)
{
    (void)state;
    static const struct {
        const char *id, *secret, *token, *cause;
        enum error_code code;
        bool nsm_broken;
    } bad[] = {
        {"", SECRET, TOKEN, "empty or malformed", ERROR_NO_CREDENTIALS, false},
        {"A\r\nx: y", SECRET, TOKEN, "empty or malformed", ERROR_NO_CREDENTIALS, false},
        {"A", "", TOKEN, "empty or malformed", ERROR_NO_CREDENTIALS, false},
        {"A", SECRET, "to ken", "empty or malformed", ERROR_NO_CREDENTIALS, false},
        {"A", SECRET, TOKEN, "broken", ERROR_NSM, true},
    };
    struct address nowhere = {.storage.ss_family = AF_INET};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct call call = {.config = config_at(&nowhere)};
        struct kms_credentials *c = &call.credentials;
        snprintf(c->access_key_id, sizeof c->access_key_id, "%s", bad[i].id);
        snprintf(c->secret_access_key, sizeof c->secret_access_key, "%s", bad[i].secret);
        snprintf(c->session_token, sizeof c->session_token, "%s", bad[i].token);
        call.nsm.broken = bad[i].nsm_broken;
        unwrap(&call, -1);
        if (call.ok || call.err.code != bad[i].code || strstr(call.err.cause, bad[i].cause) == NULL)
            fail_msg("row %zu: %s: %s", i, error_name(call.err.code), call.err.cause);
    }
}

static void wrapped_keys(void **state)
{
    (void)state;
    static const struct {
        size_t len; /* bytes before their encoding */
        const char *after;
        bool good;
    } cases[] = {
        {0, "", true},
        {0, "\n", true},
        {1, "", true},
        {KMS_WRAPPED_MAX, "\r\n ", true},
        {1, "=", false},
        {1, "x", false},
        {KMS_WRAPPED_MAX + 1, "", false},
    };
    static const uint8_t blob[KMS_WRAPPED_MAX + 1];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO text;
        BUFFER_AUTO wrapped;
        buffer_init(&text, (size_t)2 * KMS_WRAPPED_MAX);
        base64_encode(&text, bytes_of(blob, cases[i].len));
        buffer_text(&text, cases[i].after);
        if (kms_decode_wrapped(&wrapped, buffer_bytes(&text)) != cases[i].good)
            fail_msg("row %zu", i);
        if (cases[i].good)
            assert_int_equal(wrapped.len, cases[i].len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(keeps_the_message),
        cmocka_unit_test(asks_as_kms_wants),
        cmocka_unit_test(gives_up_in_time),
        cmocka_unit_test(needs_a_relay),
        cmocka_unit_test(gives_up_when_told_to),
        cmocka_unit_test(refuses_before_asking),
        cmocka_unit_test(wrapped_keys),
    };
    return cmocka_run_group_tests(tests, peer_set_up, peer_tear_down);
}
