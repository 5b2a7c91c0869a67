/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/secret.h"

/* Forward secrecy and authenticated encryption only; TLS 1.3 has nothing else anyway. */
#define TLS12_CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

struct tls_roots {
    SSL_CTX *ctx;
};

struct tls {
    SSL *ssl;
    int fd;
    tls_wait wait;
    void *context;
    const char *host; /* of tls_connect's caller, during the handshake only */
    bool broken;      /* a fatal error: no close_notify any more */
};

static SSL_CTX *new_context(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL)
        return NULL;
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_security_level(ctx, 2);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1 &&
        SSL_CTX_set_cipher_list(ctx, TLS12_CIPHERS) == 1)
        return ctx;
    SSL_CTX_free(ctx);
    return NULL;
}

/* Adds every certificate of bio; false with *err. */
static bool add_roots(X509_STORE *store, BIO *bio, struct error *err)
{
    unsigned count = 0;
    for (X509 *cert; (cert = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL; count++) {
        int added = X509_STORE_add_cert(store, cert);
        X509_free(cert);
        if (added != 1)
            return error_set(err, ERROR_CONFIG, "root certificate %u cannot be used", count + 1);
    }
    /* At the end of the text there is no further BEGIN line. */
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)
        return error_set(err, ERROR_CONFIG, "root certificate %u cannot be read", count + 1);
    if (count == 0)
        return error_set(err, ERROR_CONFIG, "no root certificate in PEM is given");
    return true;
}

struct tls_roots *tls_roots_new(struct bytes pem, struct error *err)
{
    struct tls_roots *roots = calloc(1, sizeof *roots);
    BIO *bio = pem.len == 0 || pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
    bool ok = false;
    if (roots == NULL || (roots->ctx = new_context()) == NULL)
        error_set(err, ERROR_MEMORY, "no memory for the root certificates");
    else if (bio == NULL)
        error_set(err, ERROR_CONFIG, "no root certificate in PEM is given");
    else
        ok = add_roots(SSL_CTX_get_cert_store(roots->ctx), bio, err);
    BIO_free(bio);
    ERR_clear_error();
    if (ok)
        return roots;
    tls_roots_free(roots);
    return NULL;
}

void tls_roots_free(struct tls_roots *roots)
{
    if (roots == NULL)
        return;
    SSL_CTX_free(roots->ctx);
    free(roots);
}

/* The verifier's own words, which the host explains (src/host/kms_hints.c), and what it went by. */
static bool certificate_failure(const struct tls *tls, struct error *err)
{
    char now[CLOCK_BASIC_SIZE];
    clock_format_basic(now, clock_wall_us());
    return error_set(err, ERROR_TLS,
                     "the certificate of %s is not trusted: %s (the clock here says %s)", tls->host,
                     X509_verify_cert_error_string(SSL_get_verify_result(tls->ssl)), now);
}

/* A failure within OpenSSL; the reason strings are its own and hold nothing of what was sent. */
static bool protocol_failure(struct tls *tls, struct error *err)
{
    unsigned long code = ERR_peek_error();
    const char *reason = ERR_reason_error_string(code);
    int number = ERR_GET_LIB(code) == ERR_LIB_SSL ? ERR_GET_REASON(code) : 0;
    if (number == SSL_R_CERTIFICATE_VERIFY_FAILED && tls->host != NULL)
        return certificate_failure(tls, err);
    if (number == SSL_R_UNEXPECTED_EOF_WHILE_READING)
        return error_set(err, ERROR_CLOSED, "the TLS connection was cut off");
    return error_set(err, ERROR_TLS, "TLS: %s", reason == NULL ? "unknown failure" : reason);
}

/*
 * After a call that did not succeed: waits and returns true if it is to be made again, otherwise
 * fills *err.
 */
static bool again(struct tls *tls, int result, struct error *err)
{
    int number = errno;
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        return tls->wait(tls->context, tls->fd, POLLIN, err);
    case SSL_ERROR_WANT_WRITE:
        return tls->wait(tls->context, tls->fd, POLLOUT, err);
    case SSL_ERROR_ZERO_RETURN:
        tls->broken = true;
        return error_set(err, ERROR_CLOSED, "the server closed the TLS connection");
    case SSL_ERROR_SYSCALL:
        tls->broken = true;
        if (number == 0)
            return error_set(err, ERROR_CLOSED, "the TLS connection was cut off");
        errno = number;
        return error_set_errno(err, ERROR_NETWORK, "the TLS connection broke");
    default:
        tls->broken = true;
        return protocol_failure(tls, err);
    }
}

static void prepare(void)
{
    ERR_clear_error(); /* SSL_get_error looks at the queue */
    errno = 0;
}

/* Names the host to be verified and, unless it is an address, to be asked for (SNI). */
static bool name_host(SSL *ssl, const char *host)
{
    uint8_t address[sizeof(struct in6_addr)];
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    if (inet_pton(AF_INET, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(param, address, sizeof(struct in_addr)) == 1;
    if (inet_pton(AF_INET6, host, address) == 1)
        return X509_VERIFY_PARAM_set1_ip(param, address, sizeof(struct in6_addr)) == 1;
    char name[TLSEXT_MAXLEN_host_name + 1]; /* SSL_set_tlsext_host_name takes it unqualified */
    int len = snprintf(name, sizeof name, "%s", host);
    /* OpenSSL takes an empty name for "any" and one with a leading dot for "any below". */
    if (host[0] == '\0' || host[0] == '.' || len < 0 || (size_t)len >= sizeof name)
        return false;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
                                               X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    return X509_VERIFY_PARAM_set1_host(param, name, 0) == 1 &&
           SSL_set_tlsext_host_name(ssl, name) == 1;
}

static bool handshake(struct tls *tls, struct error *err)
{
    for (;;) {
        prepare();
        int result = SSL_connect(tls->ssl);
        if (result == 1)
            return true;
        if (!again(tls, result, err)) {
            tls->broken = true;
            return false;
        }
    }
}

struct tls *tls_connect(int fd, const struct tls_roots *roots, const char *host, tls_wait wait,
                        void *context, struct error *err)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL || (tls->ssl = SSL_new(roots->ctx)) == NULL) {
        tls_free(tls);
        error_set(err, ERROR_MEMORY, "no memory for a TLS connection");
        return NULL;
    }
    tls->fd = fd;
    tls->wait = wait;
    tls->context = context;
    tls->host = host;
    bool ready = SSL_set_fd(tls->ssl, fd) == 1 && name_host(tls->ssl, host);
    if (!ready)
        error_set(err, ERROR_TLS, "\"%s\" is not a host name to verify", host);
    ready = ready && handshake(tls, err);
    tls->host = NULL;
    if (ready)
        return tls;
    tls->broken = true;
    tls_free(tls);
    return NULL;
}

bool tls_write(struct tls *tls, struct bytes data, struct error *err)
{
    if (data.len == 0)
        return true;
    for (;;) {
        size_t written;
        prepare();
        int result = SSL_write_ex(tls->ssl, data.at, data.len, &written);
        if (result == 1)
            return true;
        if (!again(tls, result, err)) {
            tls->broken = true; /* a record may have gone out in part */
            return false;
        }
    }
}

bool tls_read(struct tls *tls, uint8_t *at, size_t len, size_t *got, struct error *err)
{
    for (;;) {
        *got = 0;
        prepare();
        int result = SSL_read_ex(tls->ssl, at, len, got);
        if (result == 1)
            return true;
        if (SSL_get_error(tls->ssl, result) == SSL_ERROR_ZERO_RETURN)
            return true;
        if (!again(tls, result, err))
            return false;
    }
}

void tls_free(struct tls *tls)
{
    if (tls == NULL)
        return;
    if (tls->ssl != NULL && !tls->broken)
        SSL_shutdown(tls->ssl); /* sends close_notify if there is room; its answer is of no use */
    SSL_free(tls->ssl);
    ERR_clear_error();
    wipe(tls, sizeof *tls);
    free(tls);
}
