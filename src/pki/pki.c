/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/pki.h"

#include <arpa/inet.h>
#include <limits.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "pki/certificate.h"
#include "pki/ecdsa.h"
#include "pki/ecdsa_key.h"
#include "pki/pem_key.h"

/* In the subject of each certificate, so that nobody takes it for AWS's. */
#define ORGANIZATION "enclave-sim"

struct pki_key {
    EVP_PKEY *pkey;
};

/* Clears OpenSSL's error queue, so that a later failure does not report this reason. */
static void *no_key(struct error *err, const char *what)
{
    ERR_clear_error();
    error_set(err, ERROR_CRYPTO, "%s", what);
    return NULL;
}

/* Owns pkey, which may be NULL, from now on. */
static struct pki_key *from_pkey(EVP_PKEY *pkey, struct error *err)
{
    struct pki_key *key = calloc(1, sizeof *key);
    if (key == NULL || pkey == NULL || !ecdsa_is_p384(pkey)) {
        EVP_PKEY_free(pkey);
        free(key);
        return no_key(err, "not a P-384 private key in PEM");
    }
    key->pkey = pkey;
    return key;
}

struct pki_key *pki_key_new(struct error *err)
{
    EVP_PKEY *pkey = EVP_EC_gen(SN_secp384r1);
    return pkey != NULL ? from_pkey(pkey, err) : no_key(err, "cannot make a P-384 key");
}

struct pki_key *pki_key_from_pem(struct bytes pem, struct error *err)
{
    return from_pkey(pem_private_key(pem), err);
}

/* Appends what was written to a memory BIO, which is freed. */
static bool take_from(BIO *bio, bool written, struct buffer *out)
{
    char *at = NULL;
    long len = bio == NULL ? 0 : BIO_get_mem_data(bio, &at);
    if (written && len > 0)
        buffer_append(out, bytes_of(at, (size_t)len));
    BIO_free(bio);
    if (!written)
        ERR_clear_error();
    return written && len > 0 && !out->failed;
}

bool pki_key_to_pem(const struct pki_key *key, struct buffer *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    bool written = bio != NULL &&
                   PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1;
    return take_from(bio, written, out);
}

void pki_key_free(struct pki_key *key)
{
    if (key == NULL)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

bool pki_key_spki(const struct pki_key *key, struct buffer *out)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key->pkey, &der);
    if (len > 0)
        buffer_append(out, bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    ERR_clear_error();
    return len > 0 && !out->failed;
}

bool pki_sign_digest(const struct pki_key *key, struct bytes digest, struct buffer *out)
{
    size_t len = ECDSA_DER_MAX;
    uint8_t *room = buffer_reserve(out, len);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key->pkey, NULL);
    bool ok = room != NULL && ctx != NULL && EVP_PKEY_sign_init(ctx) == 1 &&
              EVP_PKEY_sign(ctx, room, &len, digest.at, digest.len) == 1;
    if (ok)
        buffer_commit(out, len);
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

bool pki_sign_es384(const struct pki_key *key, struct bytes message, uint8_t out[96])
{
    BUFFER_AUTO raw = {.limit = ES384_SIZE};
    if (!ecdsa_sign_with(key->pkey, message, &raw))
        return false;
    memcpy(out, raw.at, ES384_SIZE);
    return true;
}

static bool add_extension(X509 *cert, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, ctx, nid, value);
    bool ok = extension != NULL && X509_add_ext(cert, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_host_names(X509 *cert, const char *const *names)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    bool ok = all != NULL;
    for (; ok && *names != NULL; names++) {
        uint8_t address[16];
        bool is_address =
            inet_pton(AF_INET, *names, address) == 1 || inet_pton(AF_INET6, *names, address) == 1;
        GENERAL_NAME *name =
            a2i_GENERAL_NAME(NULL, NULL, NULL, is_address ? GEN_IPADD : GEN_DNS, *names, 0);
        ok = name != NULL && sk_GENERAL_NAME_push(all, name) > 0;
        if (!ok)
            GENERAL_NAME_free(name);
    }
    ok = ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1;
    GENERAL_NAMES_free(all);
    return ok;
}

/* The extensions of AWS's authorities, except the addresses of revocation lists. */
static bool add_authority(X509 *cert, X509V3_CTX *ctx, int path_length)
{
    char constraints[64] = "critical,CA:TRUE";
    if (path_length >= 0)
        snprintf(constraints, sizeof constraints, "critical,CA:TRUE,pathlen:%d", path_length);
    return add_extension(cert, ctx, NID_basic_constraints, constraints) &&
           add_extension(cert, ctx, NID_subject_key_identifier, "hash") &&
           add_extension(cert, ctx, NID_authority_key_identifier, "keyid") &&
           add_extension(cert, ctx, NID_key_usage, "critical,digitalSignature,keyCertSign,cRLSign");
}

static bool add_nsm_leaf(X509 *cert, X509V3_CTX *ctx)
{
    return add_extension(cert, ctx, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, ctx, NID_key_usage, "digitalSignature,nonRepudiation");
}

static bool add_tls_server(X509 *cert, X509V3_CTX *ctx, const char *const *host_names)
{
    return add_extension(cert, ctx, NID_basic_constraints, "critical,CA:FALSE") &&
           add_extension(cert, ctx, NID_subject_key_identifier, "hash") &&
           add_extension(cert, ctx, NID_authority_key_identifier, "keyid") &&
           add_extension(cert, ctx, NID_key_usage, "critical,digitalSignature") &&
           add_extension(cert, ctx, NID_ext_key_usage, "serverAuth") &&
           (host_names == NULL || add_host_names(cert, host_names));
}

static bool add_extensions(X509 *cert, X509 *issuer, const struct pki_subject *subject)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    switch (subject->role) {
    case PKI_AUTHORITY:
        return add_authority(cert, &ctx, subject->path_length);
    case PKI_NSM_LEAF:
        return add_nsm_leaf(cert, &ctx);
    case PKI_TLS_SERVER:
        return add_tls_server(cert, &ctx, subject->host_names);
    }
    return false;
}

static bool add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)value, -1,
                                      -1, 0) == 1;
}

static bool set_subject(X509 *cert, const struct pki_subject *subject)
{
    X509_NAME *name = X509_get_subject_name(cert);
    return add_name(name, "O", ORGANIZATION) &&
           (subject->organizational_unit == NULL ||
            add_name(name, "OU", subject->organizational_unit)) &&
           add_name(name, "CN", subject->common_name);
}

static bool set_serial(X509 *cert)
{
    BIGNUM *number = BN_new();
    /* 127 bits with the top one set: positive in 16 bytes, and never zero. */
    bool ok = number != NULL && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
              BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

static bool fill(X509 *cert, X509 *issuer, const struct pki_subject *subject,
                 const struct pki_key *key)
{
    return X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
           ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)subject->not_before_s) != NULL &&
           ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)subject->not_after_s) != NULL &&
           set_subject(cert, subject) &&
           X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
           X509_set_pubkey(cert, key->pkey) == 1 && add_extensions(cert, issuer, subject);
}

static X509 *read_der(struct bytes der)
{
    const uint8_t *at = der.at;
    return der.len > LONG_MAX ? NULL : d2i_X509(NULL, &at, (long)der.len);
}

static bool append_der(const X509 *cert, struct buffer *out)
{
    uint8_t *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len <= 0)
        return false;
    buffer_append(out, bytes_of(der, (size_t)len));
    OPENSSL_free(der);
    return !out->failed;
}

bool pki_issue(struct buffer *out, const struct pki_subject *subject, const struct pki_key *key,
               struct bytes issuer_der, const struct pki_key *issuer_key, struct error *err)
{
    X509 *cert = X509_new();
    X509 *issuer = issuer_der.len > 0 ? read_der(issuer_der) : NULL;
    bool ok = cert != NULL && (issuer != NULL || issuer_der.len == 0) &&
              fill(cert, issuer != NULL ? issuer : cert, subject, key) &&
              X509_sign(cert, issuer_key->pkey, EVP_sha384()) > 0 && append_der(cert, out);
    X509_free(issuer);
    X509_free(cert);
    if (ok)
        return true;
    ERR_clear_error();
    return error_set(err, ERROR_CRYPTO, "cannot make a certificate for %s", subject->common_name);
}

bool pki_der_to_pem(struct bytes der, struct buffer *out)
{
    X509 *cert = read_der(der);
    BIO *bio = BIO_new(BIO_s_mem());
    bool written = cert != NULL && bio != NULL && PEM_write_bio_X509(bio, cert) == 1;
    X509_free(cert);
    return take_from(bio, written, out);
}

bool pki_pem_to_der(struct bytes pem, struct buffer *out, struct error *err)
{
    struct certificate *certificate = certificate_from_pem(pem, err);
    if (certificate == NULL)
        return false;
    certificate_der(certificate, out);
    certificate_free(certificate);
    return !out->failed || error_set(err, ERROR_MEMORY, "no memory for a certificate");
}
