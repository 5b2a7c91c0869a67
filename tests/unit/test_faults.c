/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each allocation failing in turn: the first, the second, … until the work no longer notices. A
 * failure must be reported and leak nothing (the sanitizer's word), and the next try must succeed.
 * Linked with --wrap for malloc, calloc and mmap, so OpenSSL's allocations fail as well.
 */
#include "tests/unit/tls_peer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/aead.h"
#include "crypto/recipient.h"
#include "crypto/tls.h"
#include "enclave/kms_message.h"
#include "pki/cms_seal.h"
#include "pki/sha384.h"

/* Of this thread only: the server's side never fails. */
static _Thread_local bool armed;
static _Thread_local unsigned long made, fail_at;

static bool fails_now(void)
{
    return armed && made++ == fail_at;
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp): the linker's names */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__real_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails_now() ? NULL : __real_calloc(n, size);
}

void *__wrap_mmap(void *at, size_t len, int prot, int flags, int fd, off_t offset)
{
    return fails_now() ? MAP_FAILED : __real_mmap(at, len, prot, flags, fd, offset);
}

/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

static struct recipient *recipient;
static struct identity authority, server_id;
static struct tls_roots *roots;
static struct buffer roots_pem, envelope;

static bool hashing(void)
{
    uint8_t out[SHA384_SIZE];
    return sha384(out, bytes_text("x")) && hmac_sha256(out, bytes_text("k"), bytes_text("x"));
}

static bool sealing(void)
{
    static const uint8_t key[AEAD_KEY_SIZE];
    uint8_t sealed[5 + AEAD_OVERHEAD] = "twelve bytes", out[5];
    struct aead *aead = aead_new(key);
    bool ok = aead != NULL && aead_seal(aead, sealed, bytes_text("plain")) &&
              aead_open(aead, out, bytes_of(sealed, sizeof sealed));
    aead_free(aead);
    return ok;
}

static bool opening(void)
{
    BUFFER_AUTO out;
    struct error err = {0};
    buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
    bool ok = recipient_open(recipient, buffer_bytes(&envelope), &out, &err);
    if (ok)
        assert_bytes(buffer_bytes(&out), "the secret");
    else
        assert_int_equal(out.len, 0);
    assert_int_equal(ok, err.code == ERROR_NONE);
    return ok;
}

static bool making_envelopes(void)
{
    BUFFER_AUTO out;
    struct error err = {0};
    buffer_init(&out, RECIPIENT_ENVELOPE_MAX);
    bool ok = cms_seal(&out, recipient_spki(recipient), bytes_text("s"), CMS_CONSTRUCTED, &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    return ok;
}

static bool reading_roots(void)
{
    struct error err = {0};
    struct tls_roots *made_roots = tls_roots_new(buffer_bytes(&roots_pem), &err);
    assert_int_equal(made_roots != NULL, err.code == ERROR_NONE);
    tls_roots_free(made_roots);
    return made_roots != NULL;
}

static bool wait_ready(void *context, int fd, short events, struct error *err)
{
    (void)context;
    (void)err;
    struct pollfd p = {.fd = fd, .events = events};
    return poll(&p, 1, -1) == 1;
}

static void *serve(void *context)
{
    int fd = *(int *)context;
    uint8_t chunk[64];
    SSL_CTX *ctx = server_context(&server_id, 0);
    SSL *ssl = SSL_new(ctx);
    SSL_set_fd(ssl, fd);
    if (SSL_accept(ssl) == 1) {
        int n = SSL_read(ssl, chunk, sizeof chunk);
        if (n > 0)
            SSL_write(ssl, chunk, n);
    }
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    close(fd);
    return NULL;
}

static bool talking(void)
{
    int pair[2];
    pthread_t thread;
    uint8_t back[8];
    size_t got;
    struct error err = {0};
    bool was = armed;
    armed = false; /* the test's own */
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    assert_int_equal(pthread_create(&thread, NULL, serve, &pair[1]), 0);
    armed = was;
    struct tls *tls = tls_connect(pair[0], roots, "x", wait_ready, NULL, &err);
    bool ok = tls != NULL && tls_write(tls, bytes_text("hello"), &err) &&
              tls_read(tls, back, sizeof back, &got, &err) && got == 5;
    tls_free(tls);
    armed = false;
    shutdown(pair[0], SHUT_RDWR);
    close(pair[0]);
    pthread_join(thread, NULL);
    armed = was;
    return ok;
}

static bool asking(void)
{
    static uint8_t none[] = "{}";
    static const struct config config = {
        .key_arn = "arn", .region = "r", .host = "h", .encryption_context = {.at = none, .len = 2}};
    static const struct kms_credentials credentials = {
        .access_key_id = "id", .secret_access_key = "secret", .session_token = "token"};
    BUFFER_AUTO head, body;
    struct error err = {0};
    buffer_init_secret(&head, HTTP_HEAD_MAX);
    buffer_init_secret(&body, KMS_REQUEST_MAX);
    struct kms_call call = {
        .config = &config, .credentials = &credentials, .wrapped = bytes_text("blob")};
    bool ok = kms_request_build(&head, &body, &call, bytes_text("document"), 0, &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    return ok;
}

static bool understanding(void)
{
    static const struct config config = {.key_arn = "arn"};
    static const struct http_response answer = {
        .status = 200,
        .body = {(const uint8_t *)"{\"KeyId\":\"arn\",\"CiphertextForRecipient\":\"AAAA\"}", 47}};
    BUFFER_AUTO out;
    struct kms_refusal refusal = {0};
    struct error err = {0};
    buffer_init(&out, RECIPIENT_ENVELOPE_MAX);
    bool ok = kms_response_read(&config, &answer, &out, &refusal, &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    return ok;
}

static void try_all(const char *what, bool (*work)(void), unsigned long least)
{
    assert_true(work()); /* what OpenSSL makes once is made now */
    unsigned long failures = 0;
    for (fail_at = 0;; fail_at++) {
        made = 0;
        armed = true;
        bool ok = work();
        armed = false;
        if (!ok)
            failures++;
        if (made <= fail_at) {
            assert_true(ok);
            break;
        }
    }
    print_message("%s: %lu allocations, %lu of them missed\n", what, fail_at, failures);
    assert_true(failures >= least);
    assert_true(work());
}

static void every_allocation(void **state)
{
    (void)state;
    try_all("hashing", hashing, 2);
    try_all("sealing", sealing, 3);
    try_all("opening", opening, 3);
    try_all("making envelopes", making_envelopes, 3);
    try_all("reading roots", reading_roots, 3);
    try_all("asking", asking, 3);
    try_all("understanding", understanding, 2);
    try_all("talking", talking, 10);
}

static int set_up(void **state)
{
    (void)state;
    if (!crypto_start())
        return -1;
    signal(SIGPIPE, SIG_IGN);
    authority = identity_new("root", NULL, NULL, -DAY_S, DAY_S);
    server_id = identity_new("x", &authority, "DNS:x", -DAY_S, DAY_S);
    buffer_init(&roots_pem, 1u << 16);
    identity_pem(&authority, &roots_pem);
    struct error err = {0};
    roots = tls_roots_new(buffer_bytes(&roots_pem), &err);
    recipient = recipient_new(&err);
    buffer_init(&envelope, RECIPIENT_ENVELOPE_MAX);
    return roots == NULL || recipient == NULL ||
           !cms_seal(&envelope, recipient_spki(recipient), bytes_text("the secret"),
                     CMS_CONSTRUCTED, &err);
}

static int tear_down(void **state)
{
    (void)state;
    tls_roots_free(roots);
    recipient_free(recipient);
    identity_free(&authority);
    identity_free(&server_id);
    buffer_clear(&roots_pem);
    buffer_clear(&envelope);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
