/* SPDX-License-Identifier: Apache-2.0 */
/* The other side of TLS for tests: certificates made on the spot and OpenSSL's server. */
#ifndef TESTS_UNIT_TLS_PEER_H
#define TESTS_UNIT_TLS_PEER_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tests/unit/check.h"

#define DAY_S 86400L

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

static inline void add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(cert, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

/*
 * A P-256 certificate valid from..to (seconds from now). alt: subjectAltName of a server ("DNS:x"),
 * NULL: none. issuer NULL: a self-signed authority.
 */
static inline struct identity identity_new(const char *name, const struct identity *issuer,
                                           const char *alt, long from, long to)
{
    static long serial = 1;
    struct identity id = {.key = EVP_EC_gen("P-256"), .cert = X509_new()};
    assert_non_null(id.key);
    const struct identity *by = issuer == NULL ? &id : issuer;
    X509_set_version(id.cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(id.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(id.cert), from);
    X509_gmtime_adj(X509_getm_notAfter(id.cert), to);
    X509_set_pubkey(id.cert, id.key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_UTF8,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(id.cert, X509_get_subject_name(by->cert));
    add_extension(id.cert, by->cert, NID_basic_constraints,
                  issuer == NULL ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (alt != NULL)
        add_extension(id.cert, by->cert, NID_subject_alt_name, alt);
    assert_true(X509_sign(id.cert, by->key, EVP_sha256()) > 0);
    return id;
}

static inline void identity_free(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
}

/* Appends the certificate in PEM. */
static inline void identity_pem(const struct identity *id, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    assert_int_equal(PEM_write_bio_X509(bio, id->cert), 1);
    long len = BIO_get_mem_data(bio, &text);
    buffer_append(out, bytes_of(text, (size_t)len));
    BIO_free(bio);
}

/* A server of versions up to max (0: any) with that certificate. */
static inline SSL_CTX *server_context(const struct identity *id, int max)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    assert_non_null(ctx);
    if (max == TLS1_1_VERSION) { /* only so can OpenSSL still be made to offer it */
        SSL_CTX_set_security_level(ctx, 0);
        assert_int_equal(SSL_CTX_set_cipher_list(ctx, "ALL:@SECLEVEL=0"), 1);
    }
    SSL_CTX_set_min_proto_version(ctx, 0);
    SSL_CTX_set_max_proto_version(ctx, max);
    assert_int_equal(SSL_CTX_use_certificate(ctx, id->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, id->key), 1);
    return ctx;
}

#endif
