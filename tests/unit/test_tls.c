/* SPDX-License-Identifier: Apache-2.0 */
/* The TLS client against OpenSSL's server on the other end of a socket pair, good and bad. */
#include "tests/unit/tls_peer.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/tls.h"

#define BULK 200000u

static struct identity authority, stranger;
static struct tls_roots *roots;

/* What the server does once the connection stands (or instead of a handshake). */
enum act { ECHO, CLOSE_CLEANLY, CUT, CUT_IN_HANDSHAKE, NOT_TLS, SILENT };

struct server {
    SSL_CTX *ctx;
    int fd;
    enum act act;
    char sni[64];
    pthread_t thread;
};

static void echo(SSL *ssl)
{
    uint8_t chunk[5000];
    int n;
    while ((n = SSL_read(ssl, chunk, sizeof chunk)) > 0) {
        if (SSL_write(ssl, chunk, n) != n)
            return;
    }
}

static void serve_tls(struct server *server)
{
    SSL *ssl = SSL_new(server->ctx);
    SSL_set_fd(ssl, server->fd);
    if (SSL_accept(ssl) == 1) {
        const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
        snprintf(server->sni, sizeof server->sni, "%s", name == NULL ? "" : name);
        if (server->act == ECHO)
            echo(ssl);
        if (server->act == CUT)
            SSL_write(ssl, "half", 4);
        if (server->act == CLOSE_CLEANLY) {
            SSL_write(ssl, "bye", 3);
            SSL_shutdown(ssl);
        }
    }
    SSL_free(ssl);
}

static void *serve(void *context)
{
    struct server *server = context;
    char chunk[512];
    if (server->act == CUT_IN_HANDSHAKE) {
        /* a whole ClientHello is shorter; what is unread at close would come back as a reset */
        while (recv(server->fd, chunk, sizeof chunk, 0) == (ssize_t)sizeof chunk)
            ;
    } else if (server->act == NOT_TLS) {
        static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
        (void)!send(server->fd, answer, sizeof answer - 1, MSG_NOSIGNAL);
        while (recv(server->fd, chunk, sizeof chunk, 0) > 0)
            ;
    } else if (server->act == SILENT) {
        while (recv(server->fd, chunk, sizeof chunk, 0) > 0)
            ;
    } else {
        serve_tls(server);
    }
    close(server->fd);
    return NULL;
}

/* Returns the client's end. */
static int start(struct server *server, const struct identity *id, int max_version, enum act act)
{
    int pair[2];
    *server = (struct server){.ctx = server_context(id, max_version), .act = act};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fcntl(pair[0], F_SETFL, O_NONBLOCK), 0);
    server->fd = pair[1];
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
    return pair[0];
}

static void stop(struct server *server, int fd)
{
    close(fd);
    pthread_join(server->thread, NULL);
    SSL_CTX_free(server->ctx);
}

static bool wait_ready(void *context, int fd, short events, struct error *err)
{
    struct pollfd p = {.fd = fd, .events = events};
    unsigned *left = context; /* how often waiting is still granted; NULL: always */
    if (left != NULL && (*left)-- == 0)
        return error_set(err, ERROR_DEADLINE, "the test's patience");
    while (poll(&p, 1, -1) < 0)
        assert_int_equal(errno, EINTR);
    return true;
}

static void read_all(struct tls *tls, uint8_t *at, size_t len)
{
    struct error err = {0};
    while (len > 0) {
        size_t got = 0;
        assert_true(tls_read(tls, at, len, &got, &err));
        assert_in_range(got, 1, len);
        at += got;
        len -= got;
    }
}

static void carries_data(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION, 0};
    static uint8_t sent[BULK], back[BULK];
    struct identity id = identity_new("x", &authority, "DNS:kms.example.test", -DAY_S, DAY_S);
    assert_true(random_bytes(sent, sizeof sent));
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        struct server server;
        struct error err = {0};
        int fd = start(&server, &id, versions[i], ECHO);
        struct tls *tls = tls_connect(fd, roots, "kms.example.test", wait_ready, NULL, &err);
        if (tls == NULL)
            fail_msg("%s", err.cause);
        assert_true(tls_write(tls, bytes_of(NULL, 0), &err));
        for (size_t at = 0; at < BULK; at += 20000) {
            assert_true(tls_write(tls, bytes_of(sent + at, 20000), &err));
            read_all(tls, back + at, 20000);
        }
        assert_memory_equal(sent, back, BULK);
        tls_free(tls);
        stop(&server, fd);
        assert_string_equal(server.sni, "kms.example.test");
    }
    identity_free(&id);
}

static void judges_certificates(void **state)
{
    (void)state;
    static const struct {
        const char *alt, *host;
        const char *causes[2]; /* none: accepted */
        long from, to;
        bool strange;
    } rows[] = {
        {"DNS:a.example.test", "a.example.test", {0}, -DAY_S, DAY_S, false},
        {"DNS:a.example.test", "A.Example.TEST", {0}, -DAY_S, DAY_S, false},
        {"DNS:*.example.test", "a.example.test", {0}, -DAY_S, DAY_S, false},
        {"IP:127.0.0.1", "127.0.0.1", {0}, -DAY_S, DAY_S, false},
        {"IP:::1", "::1", {0}, -DAY_S, DAY_S, false},
        {"IP:127.0.0.1", "127.0.0.2", {"mismatch", "127.0.0.2"}, -DAY_S, DAY_S, false},
        {"DNS:127.0.0.1", "127.0.0.1", {"mismatch", "127.0.0.1"}, -DAY_S, DAY_S, false},
        {"DNS:b.example.test",
         "a.example.test",
         {"mismatch", "a.example.test"},
         -DAY_S,
         DAY_S,
         false},
        {"DNS:*.example.test", "a.b.example.test", {"mismatch", "a.b"}, -DAY_S, DAY_S, false},
        {"DNS:a*.example.test", "aa.example.test", {"mismatch", "aa."}, -DAY_S, DAY_S, false},
        {"DNS:a.example.test", "example.test", {"mismatch", "example"}, -DAY_S, DAY_S, false},
        {NULL, "x", {"mismatch", "x"}, -DAY_S, DAY_S, false}, /* only the common name fits */
        {"DNS:a.example.test", "a.example.test", {"expired", "clock"}, -2 * DAY_S, -DAY_S, false},
        {"DNS:a.example.test", "a.example.test", {"not yet", "clock"}, DAY_S, 2 * DAY_S, false},
        {"DNS:a.example.test",
         "a.example.test",
         {"local issuer certificate", "a.example.test"},
         -DAY_S,
         DAY_S,
         true},
        {"DNS:x", "", {"not a host name", ""}, -DAY_S, DAY_S, false},
        {"DNS:a.example.test", ".example.test", {"not a host name", ""}, -DAY_S, DAY_S, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct error err = {0};
        struct identity id = identity_new("x", rows[i].strange ? &stranger : &authority,
                                          rows[i].alt, rows[i].from, rows[i].to);
        int fd = start(&server, &id, 0, ECHO);
        struct tls *tls = tls_connect(fd, roots, rows[i].host, wait_ready, NULL, &err);
        if ((tls != NULL) != (rows[i].causes[0] == NULL))
            fail_msg("row %zu: %s", i, tls != NULL ? "accepted" : err.cause);
        for (size_t k = 0; k < 2 && rows[i].causes[0] != NULL; k++) {
            assert_int_equal(err.code, ERROR_TLS);
            if (strstr(err.cause, rows[i].causes[k]) == NULL)
                fail_msg("row %zu: \"%s\" does not say %s", i, err.cause, rows[i].causes[k]);
        }
        for (const char *c = err.cause; *c != '\0'; c++)
            assert_in_range(*c, 0x20, 0x7e);
        tls_free(tls);
        stop(&server, fd);
        identity_free(&id);
    }
}

static void refuses_to_begin(void **state)
{
    (void)state;
    static const struct {
        enum act act;
        int version;
        enum error_code codes[2];
        const char *cause;
    } rows[] = {
        {ECHO, TLS1_1_VERSION, {ERROR_TLS, ERROR_TLS}, "protocol"},
        {NOT_TLS, 0, {ERROR_TLS, ERROR_TLS}, "wrong version number"},
        {CUT_IN_HANDSHAKE, 0, {ERROR_CLOSED, ERROR_NETWORK}, "TLS connection"},
    };
    struct identity id = identity_new("x", &authority, "DNS:x", -DAY_S, DAY_S);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct server server;
        struct error err = {0};
        int fd = start(&server, &id, rows[i].version, rows[i].act);
        assert_null(tls_connect(fd, roots, "x", wait_ready, NULL, &err));
        if (err.code != rows[i].codes[0] && err.code != rows[i].codes[1])
            fail_msg("row %zu: %s: %s", i, error_name(err.code), err.cause);
        if (strstr(err.cause, rows[i].cause) == NULL)
            fail_msg("row %zu: %s", i, err.cause);
        stop(&server, fd);
    }
    identity_free(&id);
}

static void tells_an_end_from_a_cut(void **state)
{
    (void)state;
    struct identity id = identity_new("x", &authority, "DNS:x", -DAY_S, DAY_S);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        static const enum act acts[] = {CLOSE_CLEANLY, CUT};
        for (size_t i = 0; i < ARRAY_LEN(acts); i++) {
            struct server server;
            struct error err = {0};
            uint8_t at[16];
            size_t got = 99;
            int fd = start(&server, &id, version, acts[i]);
            struct tls *tls = tls_connect(fd, roots, "x", wait_ready, NULL, &err);
            assert_non_null(tls);
            read_all(tls, at, acts[i] == CUT ? 4 : 3);
            bool ok = tls_read(tls, at, sizeof at, &got, &err);
            assert_int_equal(got, 0);
            assert_int_equal(ok, acts[i] == CLOSE_CLEANLY);
            if (!ok)
                assert_int_equal(err.code, ERROR_CLOSED);
            /* writing goes on until the kernel says that nobody reads */
            bool wrote = true;
            for (int k = 0; k < 1000 && wrote; k++, poll(NULL, 0, 1))
                wrote = tls_write(tls, bytes_of("x", 1), &err);
            assert_false(wrote);
            tls_free(tls);
            stop(&server, fd);
        }
    }
    identity_free(&id);
}

static void gives_up_when_waiting_does(void **state)
{
    (void)state;
    struct identity id = identity_new("x", &authority, "DNS:x", -DAY_S, DAY_S);
    struct server server;
    struct error err = {0};
    unsigned patience = 0;
    int fd = start(&server, &id, 0, SILENT);
    assert_null(tls_connect(fd, roots, "x", wait_ready, &patience, &err));
    assert_int_equal(err.code, ERROR_DEADLINE);
    assert_string_equal(err.cause, "the test's patience");
    stop(&server, fd);

    uint8_t byte;
    size_t got;
    patience = 1000;
    fd = start(&server, &id, 0, ECHO);
    struct tls *tls = tls_connect(fd, roots, "x", wait_ready, &patience, &err);
    assert_non_null(tls);
    patience = 0;
    assert_false(tls_read(tls, &byte, 1, &got, &err)); /* nothing was sent, so nothing comes */
    assert_int_equal(err.code, ERROR_DEADLINE);
    tls_free(tls);
    stop(&server, fd);
    identity_free(&id);
}

static void reads_roots(void **state)
{
    (void)state;
    BUFFER_AUTO good;
    BUFFER_AUTO bad;
    buffer_init(&good, 1u << 16);
    buffer_init(&bad, 1u << 16);
    buffer_text(&good, "# a comment\n");
    identity_pem(&authority, &good);
    identity_pem(&stranger, &good);
    buffer_append(&bad, buffer_bytes(&good));
    buffer_text(&bad, "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
    static const char cut[] = "-----BEGIN CERTIFICATE-----\nMIIB";
    const struct {
        struct bytes pem;
        bool ok;
    } rows[] = {
        {buffer_bytes(&good), true}, {buffer_bytes(&bad), false},
        {bytes_text(""), false},     {bytes_text("nothing of the kind"), false},
        {bytes_text(cut), false},    {bytes_of(good.at, good.len / 4), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct error err = {0};
        struct tls_roots *made = tls_roots_new(rows[i].pem, &err);
        if ((made != NULL) != rows[i].ok)
            fail_msg("row %zu: %s", i, err.cause);
        if (made == NULL)
            assert_int_equal(err.code, ERROR_CONFIG);
        tls_roots_free(made);
    }
}

static int set_up(void **state)
{
    (void)state;
    if (!crypto_start())
        return -1;
    signal(SIGPIPE, SIG_IGN);
    authority = identity_new("root", NULL, NULL, -3 * DAY_S, 3 * DAY_S);
    stranger = identity_new("stran\nger\x1b[31m", NULL, NULL, -DAY_S, DAY_S);
    BUFFER_AUTO pem;
    buffer_init(&pem, 1u << 16);
    identity_pem(&authority, &pem);
    struct error err = {0};
    roots = tls_roots_new(buffer_bytes(&pem), &err);
    return roots == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    tls_roots_free(roots);
    identity_free(&authority);
    identity_free(&stranger);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_roots),
        cmocka_unit_test(carries_data),
        cmocka_unit_test(judges_certificates),
        cmocka_unit_test(refuses_to_begin),
        cmocka_unit_test(tells_an_end_from_a_cut),
        cmocka_unit_test(gives_up_when_waiting_does),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
