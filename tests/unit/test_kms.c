/* SPDX-License-Identifier: Apache-2.0 */
/* The KMS client against a KMS of our own over real TLS, which answers well, badly, or not at all.
 */
#include "tests/unit/tls_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "codec/cbor.h"
#include "codec/json.h"
#include "crypto/cms_seal.h"
#include "crypto/hash.h"
#include "enclave/kms.h"

#define ARN     "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define HOST    "kms.eu-west-1.amazonaws.com"
#define CONTEXT "{\"app\": \"enclaved\", \"stage\": \"test\"}"
#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN   "the-session-token-of-the-test"

static const uint8_t tsk_wanted[AEAD_KEY_SIZE] = "thirty-two bytes of a known TSK";
static const char document_text[] = "an attestation document, as far as this test knows";
static const char wrapped_text[] = "a wrapped TSK";

static struct identity authority, server_id, strange_id;
static struct tls_roots *roots;
static struct recipient *recipient, *other_recipient;

/* What the server does with one connection. */
enum step {
    END, /* behind the last step: that one again */
    GOOD,
    GOOD_PRIMITIVE,
    ANSWER, /* status and body of the row */
    OTHER_KEY,
    OTHER_RECIPIENT,
    SHORT_TSK,
    NOT_CMS,
    HALF,
    EMPTY,
    GARBAGE,
    CUT,   /* before TLS */
    PROXY, /* an HTTP proxy in the relay's place */
    STRANGE_CERTIFICATE,
    SLOW, /* never answers */
    STOP, /* raises stop_fd, then never answers */
};

struct server {
    int listener;
    int stop_pipe[2];
    pthread_t thread;
    const enum step *steps;
    unsigned status;
    const char *body;
    unsigned connections;
    struct buffer request; /* the last one */
};

static void answer(SSL *ssl, unsigned status, struct bytes body, size_t send_len)
{
    BUFFER_AUTO out;
    buffer_init(&out, 1u << 20);
    buffer_printf(&out, "HTTP/1.1 %u X\r\nContent-Type: application/x-amz-json-1.1\r\n", status);
    buffer_printf(&out, "Content-Length: %zu\r\n\r\n", body.len);
    buffer_append(&out, bytes_of(body.at, send_len));
    SSL_write(ssl, out.at, (int)out.len);
}

static void answer_key(SSL *ssl, enum step step)
{
    BUFFER_AUTO envelope;
    BUFFER_AUTO body;
    struct error err = {0};
    buffer_init(&envelope, RECIPIENT_ENVELOPE_MAX);
    buffer_init(&body, 1u << 16);
    const struct recipient *to = step == OTHER_RECIPIENT ? other_recipient : recipient;
    struct bytes tsk = bytes_of(tsk_wanted, step == SHORT_TSK ? 31 : 32);
    if (step == NOT_CMS)
        buffer_text(&envelope, "no CMS");
    else if (!cms_seal(&envelope, recipient_spki(to), tsk,
                       step == GOOD_PRIMITIVE ? CMS_PRIMITIVE : CMS_CONSTRUCTED, &err))
        return;
    buffer_printf(&body, "{\"CiphertextForRecipient\":\"");
    base64_encode(&body, buffer_bytes(&envelope));
    buffer_printf(&body, "\",\"EncryptionAlgorithm\":\"SYMMETRIC_DEFAULT\",\"KeyId\":\"%s\"%s}",
                  step == OTHER_KEY ? "arn:aws:kms:eu-west-1:999988887777:key/theirs" : ARN,
                  step == GOOD_PRIMITIVE ? ",\"Plaintext\":\"\"" : "");
    answer(ssl, 200, buffer_bytes(&body), step == HALF ? body.len / 2 : body.len);
}

/* Head and body of a request; false if the client went away first. */
static bool read_request(SSL *ssl, struct buffer *request)
{
    buffer_reset(request);
    for (;;) {
        uint8_t *room = buffer_reserve(request, 16384);
        int n = room == NULL ? -1 : SSL_read(ssl, room, 16384);
        if (n <= 0)
            return false;
        buffer_commit(request, (size_t)n);
        const char *end = memmem(request->at, request->len, "\r\n\r\n", 4);
        const char *length = memmem(request->at, request->len, "content-length: ", 16);
        if (end == NULL || length == NULL)
            continue;
        size_t head = (size_t)(end - (const char *)request->at) + 4;
        if (request->len >= head + strtoul(length + 16, NULL, 10))
            return true;
    }
}

static void wait_for_end(int fd)
{
    char chunk[512];
    while (recv(fd, chunk, sizeof chunk, 0) > 0)
        ;
}

static void serve_tls(struct server *server, enum step step, int fd)
{
    SSL_CTX *ctx = server_context(step == STRANGE_CERTIFICATE ? &strange_id : &server_id, 0);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1 && read_request(ssl, &server->request)) {
        if (step == ANSWER)
            answer(ssl, server->status, bytes_text(server->body), strlen(server->body));
        else if (step == GARBAGE)
            SSL_write(ssl, "220 mail ready\r\n", 16);
        else if (step == STOP)
            (void)!write(server->stop_pipe[1], "x", 1);
        else if (step != SLOW && step != EMPTY)
            answer_key(ssl, step);
        if (step == SLOW || step == STOP)
            wait_for_end(fd);
        else if (step != HALF)
            SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

static void *serve(void *context)
{
    struct server *server = context;
    const enum step *next = server->steps;
    for (;;) {
        int fd = accept(server->listener, NULL, NULL);
        if (fd < 0)
            return NULL; /* the listener was shut down */
        enum step step = *next;
        if (next[1] != END)
            next++;
        server->connections++;
        if (step == PROXY) {
            static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
            (void)!send(fd, text, sizeof text - 1, MSG_NOSIGNAL);
            shutdown(fd, SHUT_WR);
            wait_for_end(fd);
        } else if (step != CUT) {
            serve_tls(server, step, fd);
        }
        close(fd);
    }
}

static void start(struct server *server, const enum step *steps, struct address *address)
{
    *server = (struct server){.steps = steps, .status = 200, .body = ""};
    buffer_init(&server->request, 1u << 20);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&any, len), 0);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(getsockname(server->listener, (struct sockaddr *)&any, &len), 0);
    assert_int_equal(pipe(server->stop_pipe), 0);
    char text[64];
    struct error err = {0};
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", ntohs(any.sin_port));
    assert_true(address_parse(address, text, &err));
}

static void run(struct server *server)
{
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop_pipe[0]);
    close(server->stop_pipe[1]);
    buffer_clear(&server->request);
}

/* An NSM that answers every Attestation with the same document. */
struct fake_nsm {
    unsigned asked;
    bool broken;
    bool saw_key; /* the request held the recipient's public key */
};

static bool fake_exchange(void *context, struct bytes request, uint8_t *response,
                          size_t *response_len, struct error *err)
{
    struct fake_nsm *fake = context;
    fake->asked++;
    if (fake->broken)
        return error_set(err, ERROR_NSM, "the fake is broken");
    struct bytes spki = recipient_spki(recipient);
    fake->saw_key = memmem(request.at, request.len, spki.at, spki.len) != NULL;
    BUFFER_AUTO out;
    buffer_init(&out, NSM_RESPONSE_MAX);
    cbor_put_map(&out, 1);
    cbor_put_text(&out, "Attestation");
    cbor_put_map(&out, 1);
    cbor_put_text(&out, "document");
    cbor_put_bytes(&out, bytes_text(document_text));
    memcpy(response, out.at, out.len);
    *response_len = out.len;
    return true;
}

static void fake_close(void *context)
{
    (void)context;
}

static struct kms_credentials credentials_now(void)
{
    struct kms_credentials c = {.expires_us = INT64_MAX};
    snprintf(c.access_key_id, sizeof c.access_key_id, "AKIDEXAMPLE");
    snprintf(c.secret_access_key, sizeof c.secret_access_key, SECRET);
    snprintf(c.session_token, sizeof c.session_token, TOKEN);
    return c;
}

static struct kms_target target_at(const struct address *relay)
{
    return (struct kms_target){.key_arn = ARN,
                               .region = "eu-west-1",
                               .host = HOST,
                               .encryption_context = bytes_text(CONTEXT),
                               .relay = *relay,
                               .roots = roots,
                               .attempt_ms = 20000,
                               .total_ms = 60000};
}

/* A call and all that comes of it. */
struct call {
    struct kms_target target;
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
    struct nsm nsm = {
        .transport = {.exchange = fake_exchange, .close = fake_close, .context = &call->nsm}};
    memset(call->tsk, 0xee, sizeof call->tsk);
    call->ok = kms_unwrap_tsk(&call->target, &call->credentials, bytes_text(wrapped_text),
                              recipient, &nsm, stop_fd, call->tsk, &call->refusal, &call->err);
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

#define DENIED(type, message) \
    "{\"__type\":\"com.amazonaws.kms#" type "\",\"message\":\"" message "\"}"
#define KEY "{\"KeyId\":\"" ARN "\","

static const struct row {
    const char *name;
    enum step steps[4];
    enum error_code code; /* ERROR_NONE: succeeds */
    unsigned attempts;    /* connections the server sees; 0: at least two */
    unsigned status;
    const char *body;
    const char *cause; /* a part of it; NULL: any */
    const char *type;  /* of the refusal; NULL: none */
} rows[] = {
    {"constructed", {GOOD}, ERROR_NONE, 1, 0, "", NULL, NULL},
    {"primitive, empty Plaintext", {GOOD_PRIMITIVE}, ERROR_NONE, 1, 0, "", NULL, NULL},
    {"denied",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     DENIED("AccessDeniedException", "User: x is not authorized to perform: kms:Decrypt"),
     "kms:RecipientAttestation",
     "AccessDeniedException"},
    {"403", {ANSWER, GOOD}, ERROR_KMS_DENIED, 1, 403, "<html>Forbidden</html>", "403", ""},
    {"capital Message, no prefix",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     "{\"__type\":\"UnrecognizedClientException\",\"Message\":\"bad\"}",
     "credentials",
     "UnrecognizedClientException"},
    {"an unknown refusal, control characters",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     "{\"__type\":\"a#New\\u001b[31mException\",\"message\":\"line\\nline \\u00e9\"}",
     "message",
     "New?[31mException"},
    {"disabled",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     DENIED("DisabledException", "x"),
     "enable",
     "DisabledException"},
    {"wrong wrapped key",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     "{\"__type\":\"InvalidCiphertextException\"}",
     "wrapped TSK",
     "InvalidCiphertextException"},
    {"expired token",
     {ANSWER, GOOD},
     ERROR_CREDENTIALS_EXPIRED,
     1,
     400,
     DENIED("ExpiredTokenException", "The security token included in the request is expired"),
     "new ones",
     "ExpiredTokenException"},
    {"our clock is late",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     DENIED("InvalidSignatureException", "Signature expired: 2026 is now earlier than 2027"),
     "clock",
     "InvalidSignatureException"},
    {"our clock is early",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     DENIED("InvalidSignatureException", "Signature not yet current: 2027 is still later"),
     "clock",
     "InvalidSignatureException"},
    {"request expired",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     400,
     DENIED("RequestExpired", ""),
     "clock",
     "RequestExpired"},
    {"wrong signature",
     {ANSWER, GOOD},
     ERROR_KMS_DENIED,
     1,
     403,
     DENIED("InvalidSignatureException", "The request signature we calculated does not match"),
     "secret access key",
     "InvalidSignatureException"},
    {"500, then good", {ANSWER, GOOD}, ERROR_NONE, 2, 500, "oops", NULL, NULL},
    {"internal, twice",
     {ANSWER, ANSWER, GOOD},
     ERROR_NONE,
     3,
     400,
     DENIED("KMSInternalException", ""),
     NULL,
     NULL},
    {"throttled, then good",
     {ANSWER, GOOD},
     ERROR_NONE,
     2,
     400,
     DENIED("ThrottlingException", "Rate exceeded"),
     NULL,
     NULL},
    {"429, then good", {ANSWER, GOOD}, ERROR_NONE, 2, 429, "", NULL, NULL},
    {"cut before TLS, then good", {CUT, CUT, GOOD}, ERROR_NONE, 3, 0, "", NULL, NULL},
    {"half an answer, then good", {HALF, GOOD}, ERROR_NONE, 2, 0, "", NULL, NULL},
    {"no answer, then good", {EMPTY, GOOD}, ERROR_NONE, 2, 0, "", NULL, NULL},
    {"garbage", {GARBAGE, GOOD}, ERROR_KMS_RESPONSE, 1, 0, "", "status line", NULL},
    {"another key", {OTHER_KEY, GOOD}, ERROR_KEY_MISMATCH, 1, 0, "", ARN, NULL},
    {"to another recipient",
     {OTHER_RECIPIENT, GOOD},
     ERROR_ENVELOPE,
     1,
     0,
     "",
     "another key",
     NULL},
    {"no CMS", {NOT_CMS, GOOD}, ERROR_ENVELOPE, 1, 0, "", "BER", NULL},
    {"31 bytes", {SHORT_TSK, GOOD}, ERROR_TSK_LENGTH, 1, 0, "", "31 bytes", NULL},
    {"a proxy", {PROXY, GOOD}, ERROR_TLS, 1, 0, "", "HTTP proxy", NULL},
    {"another's certificate",
     {STRANGE_CERTIFICATE, GOOD},
     ERROR_TLS,
     1,
     0,
     "",
     "unknown issuer",
     NULL},
    {"redirect", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 1, 302, "{}", "302", NULL},
    {"not JSON", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 1, 200, "<html>", "not JSON", NULL},
    {"an array", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 1, 200, "[]", "object", NULL},
    {"empty body", {ANSWER, GOOD}, ERROR_KMS_RESPONSE, 1, 200, "", "not JSON", NULL},
    {"no KeyId",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     "{\"CiphertextForRecipient\":\"AAAA\"}",
     "KeyId",
     NULL},
    {"KeyId twice",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     KEY "\"KeyId\":\"x\",\"CiphertextForRecipient\":\"AAAA\"}",
     "not JSON",
     NULL},
    {"KeyId no text",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     "{\"KeyId\":7,\"CiphertextForRecipient\":\"AAAA\"}",
     "KeyId",
     NULL},
    {"a longer KeyId",
     {ANSWER, GOOD},
     ERROR_KEY_MISMATCH,
     1,
     200,
     "{\"KeyId\":\"" ARN "x\",\"CiphertextForRecipient\":\"AAAA\"}",
     NULL,
     NULL},
    {"a shorter KeyId",
     {ANSWER, GOOD},
     ERROR_KEY_MISMATCH,
     1,
     200,
     "{\"KeyId\":\"1234abcd-12ab-34cd-56ef-1234567890ab\",\"CiphertextForRecipient\":\"AAAA\"}",
     NULL,
     NULL},
    {"plaintext only",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     KEY "\"Plaintext\":\"dGhpcnR5LXR3byBieXRlcyBvZiBhIGtub3duIFRTSw==\"}",
     "Recipient",
     NULL},
    {"plaintext too",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     KEY "\"Plaintext\":\"AA==\",\"CiphertextForRecipient\":\"AAAA\"}",
     "besides",
     NULL},
    {"nothing in it",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     KEY "\"Plaintext\":null}",
     "no CiphertextForRecipient",
     NULL},
    {"null in it",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     KEY "\"CiphertextForRecipient\":null}",
     "no CiphertextForRecipient",
     NULL},
    {"not base64",
     {ANSWER, GOOD},
     ERROR_KMS_RESPONSE,
     1,
     200,
     KEY "\"CiphertextForRecipient\":\"AAA\"}",
     "base64",
     NULL},
};

static void answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct row *row = &rows[i];
        struct server server;
        struct address relay;
        start(&server, row->steps, &relay);
        server.status = row->status;
        server.body = row->body;
        run(&server);
        struct call call = {.target = target_at(&relay), .credentials = credentials_now()};
        unwrap(&call, -1);
        unsigned connections = server.connections;
        stop(&server);
        if (call.ok != (row->code == ERROR_NONE) || (!call.ok && call.err.code != row->code))
            fail_msg("%s: %s: %s", row->name, call.ok ? "ok" : error_name(call.err.code),
                     call.err.cause);
        if (connections != row->attempts || call.nsm.asked != row->attempts)
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
    struct server server;
    struct address relay;
    start(&server, steps, &relay);
    server.status = 400;
    server.body = (const char *)body.at;
    run(&server);
    struct call call = {.target = target_at(&relay), .credentials = credentials_now()};
    unwrap(&call, -1);
    stop(&server);
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
    for (int bare = 0; bare < 2; bare++) {
        struct server server;
        struct address relay;
        start(&server, steps, &relay);
        run(&server);
        struct call call = {.target = target_at(&relay), .credentials = credentials_now()};
        if (bare == 1) {
            call.credentials.session_token[0] = '\0';
            call.target.encryption_context = bytes_text("{}");
        }
        unwrap(&call, -1);
        assert_true(call.ok);
        const uint8_t *end = memmem(server.request.at, server.request.len, "\r\n\r\n", 4);
        assert_non_null(end);
        struct bytes body =
            bytes_from(buffer_bytes(&server.request), (size_t)(end + 4 - server.request.at));
        check_body(body, bare == 1 ? NULL : CONTEXT);
        static const char *const lines[] = {
            "POST / HTTP/1.1\r\n",
            "\r\nhost: " HOST "\r\n",
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
        stop(&server);
    }
}

static void gives_up_in_time(void **state)
{
    (void)state;
    static const enum step slow[] = {SLOW, END}, broken[] = {ANSWER, END}, cut[] = {CUT, END};
    const struct {
        const enum step *steps;
        unsigned status;
        enum error_code code;
    } cases[] = {
        {slow, 0, ERROR_DEADLINE},
        {broken, 503, ERROR_KMS_UNAVAILABLE},
        {broken, 429, ERROR_KMS_THROTTLED},
        {cut, 0, ERROR_RELAY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct server server;
        struct address relay;
        start(&server, cases[i].steps, &relay);
        server.status = cases[i].status;
        run(&server);
        struct call call = {.target = target_at(&relay), .credentials = credentials_now()};
        call.target.total_ms = 1000;
        if (cases[i].steps == slow)
            call.target.attempt_ms = 300;
        unwrap(&call, -1);
        assert_true(server.connections >= 1);
        stop(&server);
        assert_false(call.ok);
        if (call.err.code != cases[i].code)
            fail_msg("case %zu: %s: %s", i, error_name(call.err.code), call.err.cause);
    }
}

static void gives_up_when_told_to(void **state)
{
    (void)state;
    static const enum step steps[] = {STOP, END};
    struct server server;
    struct address relay;
    start(&server, steps, &relay);
    run(&server);
    struct call call = {.target = target_at(&relay), .credentials = credentials_now()};
    call.target.total_ms = call.target.attempt_ms = INT64_MAX;
    unwrap(&call, server.stop_pipe[0]);
    assert_int_equal(call.err.code, ERROR_SHUTTING_DOWN);
    unwrap(&call, server.stop_pipe[0]); /* still raised: not even an answer is waited for */
    assert_int_equal(call.err.code, ERROR_SHUTTING_DOWN);
    stop(&server);
}

static void needs_a_relay(void **state)
{
    (void)state;
    static const enum step steps[] = {GOOD, END};
    struct server server;
    struct address relay;
    start(&server, steps, &relay); /* its thread never runs, and nobody listens any more */
    close(server.listener);
    struct call call = {.target = target_at(&relay), .credentials = credentials_now()};
    call.target.total_ms = 300;
    unwrap(&call, -1);
    assert_int_equal(call.err.code, ERROR_RELAY);
    assert_non_null(strstr(call.err.cause, relay.text));
    close(server.stop_pipe[0]);
    close(server.stop_pipe[1]);
    buffer_clear(&server.request);
}

/* Refused before a connection is made: the relay's address leads nowhere. */
static void refuses_before_asking(void **state)
{
    (void)state;
    static const struct {
        const char *id, *secret, *token, *cause;
        int64_t expires_in_us;
        enum error_code code;
        bool nsm_broken;
    } bad[] = {
        {"A", SECRET, TOKEN, "expired", -1, ERROR_CREDENTIALS_EXPIRED, false},
        {"", SECRET, TOKEN, "access key id", 60000000, ERROR_NO_CREDENTIALS, false},
        {"A\r\nx: y", SECRET, TOKEN, "access key id", 60000000, ERROR_NO_CREDENTIALS, false},
        {"A", "", TOKEN, "secret access key", 60000000, ERROR_NO_CREDENTIALS, false},
        {"A", SECRET, "to ken", "session token", 60000000, ERROR_NO_CREDENTIALS, false},
        {"A", SECRET, TOKEN, "broken", 60000000, ERROR_NSM, true},
    };
    struct address nowhere = {.family = ADDRESS_TCP};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct call call = {.target = target_at(&nowhere)};
        struct kms_credentials *c = &call.credentials;
        snprintf(c->access_key_id, sizeof c->access_key_id, "%s", bad[i].id);
        snprintf(c->secret_access_key, sizeof c->secret_access_key, "%s", bad[i].secret);
        snprintf(c->session_token, sizeof c->session_token, "%s", bad[i].token);
        c->expires_us = clock_wall_us() + bad[i].expires_in_us;
        call.nsm.broken = bad[i].nsm_broken;
        unwrap(&call, -1);
        if (call.ok || call.err.code != bad[i].code || strstr(call.err.cause, bad[i].cause) == NULL)
            fail_msg("row %zu: %s: %s", i, error_name(call.err.code), call.err.cause);
    }
    static const uint8_t blob[KMS_WRAPPED_MAX + 1];
    struct call call = {.target = target_at(&nowhere), .credentials = credentials_now()};
    struct nsm nsm = {.transport = {.exchange = fake_exchange, .context = &call.nsm}};
    for (size_t i = 0; i < 2; i++) {
        assert_false(kms_unwrap_tsk(&call.target, &call.credentials,
                                    bytes_of(blob, i == 0 ? 0 : sizeof blob), recipient, &nsm, -1,
                                    call.tsk, &call.refusal, &call.err));
        assert_int_equal(call.err.code, ERROR_NO_WRAPPED_TSK);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (!crypto_start())
        return -1;
    signal(SIGPIPE, SIG_IGN);
    log_start("test_kms", LOG_ERROR);
    struct identity strange = identity_new("stranger", NULL, NULL, -DAY_S, DAY_S);
    authority = identity_new("root", NULL, NULL, -DAY_S, DAY_S);
    server_id = identity_new("kms", &authority, "DNS:" HOST, -DAY_S, DAY_S);
    strange_id = identity_new("kms", &strange, "DNS:" HOST, -DAY_S, DAY_S);
    identity_free(&strange);
    BUFFER_AUTO pem;
    buffer_init(&pem, 1u << 16);
    identity_pem(&authority, &pem);
    struct error err = {0};
    roots = tls_roots_new(buffer_bytes(&pem), &err);
    recipient = recipient_new(&err);
    other_recipient = recipient_new(&err);
    return roots == NULL || recipient == NULL || other_recipient == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    tls_roots_free(roots);
    recipient_free(recipient);
    recipient_free(other_recipient);
    identity_free(&authority);
    identity_free(&server_id);
    identity_free(&strange_id);
    return 0;
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
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
