/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For test_kms.c and test_session.c: a KMS of our own over real TLS, which answers well, badly, or
 * not at all, and an NSM with one document and given registers.
 */
#ifndef TESTS_UNIT_KMS_PEER_H
#define TESTS_UNIT_KMS_PEER_H

#include "tests/unit/tls_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "crypto/hash.h"
#include "enclave/kms.h"
#include "formats/cbor_types.h"
#include "pki/cms_seal.h"
#include "sockets/any_address.h"

#define ARN     "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
#define HOST    "kms.eu-west-1.amazonaws.com"
#define CONTEXT "{\"app\": \"enclaved\", \"stage\": \"test\"}"
#define SECRET  "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN   "the-session-token-of-the-test"

static const uint8_t tsk_wanted[AEAD_KEY_SIZE] = "thirty-two bytes of a known TSK";
static const char document_text[] = "an attestation document, as far as this test knows";
static const char wrapped_text[] = "a wrapped TSK";

static struct identity authority, server_id, strange_id;
static struct tls_roots *peer_roots;
static struct recipient *recipient, *other_recipient;

/* What the server does with one connection. */
enum step {
    END, /* after the last step, which is repeated */
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
    atomic_uint connections;
    struct buffer request; /* the last one; only after server_stop */
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

/* A socket at a port of its own, which nobody listens at yet, and its address. */
static inline int bound_socket(struct address *address)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&any, len), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    char text[64];
    struct error err = {0};
    snprintf(text, sizeof text, "tcp:127.0.0.1:%u", ntohs(any.sin_port));
    assert_true(any_address_parse(address, text, &err));
    return fd;
}

static void server_start(struct server *server, const enum step *steps, struct address *address)
{
    *server = (struct server){.steps = steps, .status = 200, .body = ""};
    buffer_init(&server->request, 1u << 20);
    server->listener = bound_socket(address);
    assert_int_equal(listen(server->listener, 16), 0);
    assert_int_equal(pipe(server->stop_pipe), 0);
}

static void server_run(struct server *server)
{
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

/* Ends and joins the thread; only then is what it noted looked at. server_clear frees it. */
static void server_stop(struct server *server)
{
    shutdown(server->listener, SHUT_RDWR);
    pthread_join(server->thread, NULL);
    close(server->listener);
    close(server->stop_pipe[0]);
    close(server->stop_pipe[1]);
}

static void server_clear(struct server *server)
{
    buffer_clear(&server->request);
}

#define SERVER_AUTO __attribute__((cleanup(server_clear))) struct server

/* An NSM that answers every Attestation with the same document, every DescribePCR with pcr. */
struct fake_nsm {
    unsigned asked; /* for documents */
    uint8_t pcr[NSM_PCR_SIZE];
    bool broken;
    bool saw_key; /* the last request held the recipient's public key */
};

static bool asks_for(struct bytes request, const char *what)
{
    return memmem(request.at, request.len, what, strlen(what)) != NULL;
}

static bool fake_exchange(void *context, struct bytes request, uint8_t *response,
                          size_t *response_len, struct error *err)
{
    struct fake_nsm *fake = context;
    BUFFER_AUTO out;
    buffer_init(&out, NSM_RESPONSE_MAX);
    cbor_put_map(&out, 1);
    if (asks_for(request, "DescribePCR")) {
        cbor_put_text(&out, "DescribePCR");
        cbor_put_map(&out, 2);
        cbor_put_text(&out, "lock");
        cbor_put_boolean(&out, true);
        cbor_put_text(&out, "data");
        cbor_put_bytes(&out, bytes_of(fake->pcr, sizeof fake->pcr));
    } else {
        struct bytes spki = recipient_spki(recipient);
        fake->saw_key = memmem(request.at, request.len, spki.at, spki.len) != NULL;
        fake->asked++;
        cbor_put_text(&out, "Attestation");
        cbor_put_map(&out, 1);
        cbor_put_text(&out, "document");
        cbor_put_bytes(&out, bytes_text(document_text));
    }
    if (fake->broken)
        return error_set(err, ERROR_NSM, "the fake is broken");
    memcpy(response, out.at, out.len);
    *response_len = out.len;
    return true;
}

static void fake_close(void *context)
{
    (void)context;
}

static struct nsm fake_open(struct fake_nsm *fake)
{
    return (struct nsm){
        .transport = {.exchange = fake_exchange, .close = fake_close, .context = fake}};
}

static struct kms_credentials credentials_now(void)
{
    struct kms_credentials c = {0};
    snprintf(c.access_key_id, sizeof c.access_key_id, "AKIDEXAMPLE");
    snprintf(c.secret_access_key, sizeof c.secret_access_key, SECRET);
    snprintf(c.session_token, sizeof c.session_token, TOKEN);
    return c;
}

/* The context is a view of CONTEXT: nothing to be freed. */
static struct config config_at(const struct address *relay)
{
    static char context[] = CONTEXT;
    return (struct config){.key_arn = ARN,
                           .region = "eu-west-1",
                           .host = HOST,
                           .encryption_context = {.at = (uint8_t *)context, .len = strlen(context)},
                           .relay = *relay,
                           .attempt_ms = 20000};
}

/* Identities, roots and keys of recipients, for a whole program. */
static int peer_set_up(void **state)
{
    (void)state;
    if (!crypto_start())
        return -1;
    signal(SIGPIPE, SIG_IGN);
    log_start("test", LOG_ERROR);
    struct identity strange = identity_new("stranger", NULL, NULL, -DAY_S, DAY_S);
    authority = identity_new("root", NULL, NULL, -DAY_S, DAY_S);
    server_id = identity_new("kms", &authority, "DNS:" HOST, -DAY_S, DAY_S);
    strange_id = identity_new("kms", &strange, "DNS:" HOST, -DAY_S, DAY_S);
    identity_free(&strange);
    BUFFER_AUTO pem;
    buffer_init(&pem, 1u << 16);
    identity_pem(&authority, &pem);
    struct error err = {0};
    peer_roots = tls_roots_new(buffer_bytes(&pem), &err);
    recipient = recipient_new(&err);
    other_recipient = recipient_new(&err);
    return peer_roots == NULL || recipient == NULL || other_recipient == NULL;
}

static int peer_tear_down(void **state)
{
    (void)state;
    tls_roots_free(peer_roots);
    recipient_free(recipient);
    recipient_free(other_recipient);
    identity_free(&authority);
    identity_free(&server_id);
    identity_free(&strange_id);
    return 0;
}

#endif
