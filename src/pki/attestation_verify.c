/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The steps and their order: aws-nitro-enclaves-nsm-api, docs/attestation_process.md. This also
 * checks what OpenSSL does not require by itself: the curve, the hash, the presence of keyUsage,
 * and the order of the bundle.
 */
#include "pki/attestation_verify.h"

#include <limits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "codec/cbor.h"
#include "formats/cose.h"
#include "pki/ecdsa.h"
#include "pki/ecdsa_key.h"

/* The certificates of a document: index 0 is the root, the leaf comes last. */
struct chain {
    X509 *certs[ATTESTATION_CABUNDLE_MAX + 1];
    size_t count;
};

static void chain_clear(struct chain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        X509_free(chain->certs[i]);
    ERR_clear_error();
}

static bool untrusted(struct error *err, const char *step, size_t number, const char *what)
{
    return error_set(err, ERROR_CERTIFICATE, "%s: certificate %zu of the chain %s", step, number,
                     what);
}

/* Step 1: CBOR shape and limits. */
static bool check_shape(struct attestation *out, struct cose_sign1 *cose, struct bytes document,
                        struct error *err)
{
    if (document.len > ATTESTATION_DOCUMENT_MAX)
        return error_set(err, ERROR_FORMAT, "shape: the document is longer than %d bytes",
                         ATTESTATION_DOCUMENT_MAX);
    struct error why = {0};
    if (!cose_sign1_parse(cose, document, COSE_UNTAGGED, &why))
        return error_set(err, ERROR_FORMAT, "shape: %s", why.cause);
    if (cose->algorithm != COSE_ES384)
        return error_set(err, ERROR_FORMAT, "shape: the signature's algorithm is not ES384");
    struct cbor_reader unprotected = cbor_reader(cose->unprotected_header);
    struct cbor_items none = cbor_enter(&unprotected, CBOR_MAP);
    if (cbor_next(&unprotected, &none))
        return error_set(err, ERROR_FORMAT, "shape: the unprotected header is not empty");
    if (cose->signature.len != ES384_SIZE)
        return error_set(err, ERROR_FORMAT, "shape: the signature is not %d bytes", ES384_SIZE);
    if (!attestation_parse(out, cose->payload, &why))
        return error_set(err, ERROR_FORMAT, "shape: %s", why.cause);
    return true;
}

static bool read_certificate(struct chain *chain, struct bytes der, struct error *err)
{
    const uint8_t *at = der.at;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len); /* at most ATTESTATION_CERT_MAX */
    if (cert == NULL)
        return untrusted(err, "chain", chain->count, "is not a certificate");
    chain->certs[chain->count++] = cert;
    return at == der.at + der.len ||
           untrusted(err, "chain", chain->count - 1, "has bytes after its end");
}

static bool read_chain(struct chain *chain, const struct attestation *a, struct error *err)
{
    for (size_t i = 0; i < a->cabundle_count; i++)
        if (!read_certificate(chain, a->cabundle[i], err))
            return false;
    return read_certificate(chain, a->certificate, err);
}

/* Basic constraints and key usage must be there and allow what the certificate is used for. */
static bool check_leaf(uint32_t flags, uint32_t usage, size_t i, struct error *err)
{
    if ((flags & EXFLAG_CA) != 0)
        return untrusted(err, "leaf", i,
                         "is the leaf, but its basicConstraints make it an authority");
    if ((usage & KU_DIGITAL_SIGNATURE) == 0)
        return untrusted(err, "leaf", i, "is the leaf, but its keyUsage is not digitalSignature");
    return true;
}

static bool check_issuer(uint32_t flags, uint32_t usage, size_t i, struct error *err)
{
    if ((flags & EXFLAG_BCONS) == 0 || (flags & EXFLAG_CA) == 0)
        return untrusted(err, "chain", i, "is an issuer, but its basicConstraints do not say so");
    if ((usage & KU_KEY_CERT_SIGN) == 0)
        return untrusted(err, "chain", i, "is an issuer, but its keyUsage is not keyCertSign");
    return true;
}

static bool check_certificate(struct chain *chain, size_t i, struct error *err)
{
    X509 *cert = chain->certs[i];
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    bool is_leaf = i + 1 == chain->count;
    const char *step = is_leaf ? "leaf" : "chain";
    uint32_t flags = X509_get_extension_flags(cert);
    uint32_t usage = (flags & EXFLAG_KUSAGE) != 0 ? X509_get_key_usage(cert) : 0;
    if ((flags & EXFLAG_INVALID) != 0)
        return untrusted(err, step, i, "has malformed extensions");
    if (key == NULL || !ecdsa_is_p384(key))
        return untrusted(err, step, i, "has a key that is not P-384");
    if (X509_get_signature_nid(cert) != NID_ecdsa_with_SHA384)
        return untrusted(err, step, i, "is not signed with ECDSA and SHA-384");
    return is_leaf ? check_leaf(flags, usage, i, err) : check_issuer(flags, usage, i, err);
}

/* OpenSSL's path must be exactly the document's chain, in its order. */
static bool check_order(X509_STORE_CTX *ctx, const struct chain *chain, struct error *err)
{
    STACK_OF(X509) *path = X509_STORE_CTX_get0_chain(ctx);
    bool same = sk_X509_num(path) == (int)chain->count;
    for (int i = 0; same && i < (int)chain->count; i++)
        same = X509_cmp(sk_X509_value(path, i), chain->certs[chain->count - 1 - (size_t)i]) == 0;
    return same || error_set(err, ERROR_CERTIFICATE,
                             "chain: the cabundle is not the path from the root to the leaf");
}

/* OpenSSL checks signatures, names, path lengths, critical extensions and validity at at_ms. */
static bool check_path(X509_STORE_CTX *ctx, const struct chain *chain, int64_t at_ms,
                       struct error *err)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_time(param, (time_t)(at_ms / 1000));
    X509_VERIFY_PARAM_set_depth(param, ATTESTATION_CABUNDLE_MAX + 1);
    if (X509_verify_cert(ctx) == 1)
        return check_order(ctx, chain, err);
    int reason = X509_STORE_CTX_get_error(ctx);
    int depth = X509_STORE_CTX_get_error_depth(ctx); /* counted from the leaf */
    size_t number =
        depth >= 0 && (size_t)depth < chain->count ? chain->count - 1 - (size_t)depth : 0;
    return error_set(err, ERROR_CERTIFICATE, "%s: certificate %zu of the chain: %s",
                     number + 1 == chain->count ? "leaf" : "chain", number,
                     X509_verify_cert_error_string(reason));
}

/* The only thing trusted is the root; what lies between is offered as untrusted. */
static bool verify_path(const struct chain *chain, int64_t at_ms, struct error *err)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    bool ready = store != NULL && ctx != NULL && between != NULL &&
                 X509_STORE_add_cert(store, chain->certs[0]) == 1;
    for (size_t i = 1; ready && i + 1 < chain->count; i++)
        ready = sk_X509_push(between, chain->certs[i]) > 0;
    ready = ready && X509_STORE_CTX_init(ctx, store, chain->certs[chain->count - 1], between) == 1;
    bool ok = ready ? check_path(ctx, chain, at_ms, err)
                    : error_set(err, ERROR_CERTIFICATE, "chain: out of memory");
    X509_STORE_CTX_free(ctx);
    sk_X509_free(between);
    X509_STORE_free(store);
    return ok;
}

/* Step 2: root. Step 3: chain. Step 4: leaf. */
static bool check_chain(struct chain *chain, const struct attestation *a, struct bytes root_der,
                        int64_t at_ms, struct error *err)
{
    if (!bytes_equal(a->cabundle[0], root_der))
        return error_set(err, ERROR_CERTIFICATE,
                         "root: the document's root is not the trusted one");
    if (!read_chain(chain, a, err))
        return false;
    for (size_t i = 0; i < chain->count; i++)
        if (!check_certificate(chain, i, err))
            return false;
    return verify_path(chain, at_ms, err);
}

/* Step 5: the signature over the payload. */
static bool check_signature(X509 *leaf, const struct cose_sign1 *cose, struct error *err)
{
    BUFFER_AUTO signed_bytes = {.limit = ATTESTATION_DOCUMENT_MAX + 64};
    cose_sign1_to_be_signed(&signed_bytes, cose->protected_header, cose->payload);
    uint8_t *spki = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    bool ok = !signed_bytes.failed && len > 0 &&
              ecdsa_verify_raw(cose->algorithm, bytes_of(spki, (size_t)len),
                               buffer_bytes(&signed_bytes), cose->signature);
    OPENSSL_free(spki);
    return ok || error_set(err, ERROR_SIGNATURE,
                           "signature: the document is not signed by the leaf's key");
}

const uint8_t attestation_aws_root[SHA256_SIZE] = {
    0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
    0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
};

/* The steps after the shape, once the root is known. */
static bool verify(const struct attestation *claimed, const struct cose_sign1 *cose,
                   struct bytes root_der, int64_t at_ms, struct error *err)
{
    struct chain chain = {.count = 0};
    if (at_ms == ATTESTATION_OWN_TIME)
        at_ms = (int64_t)claimed->timestamp_ms; /* the parser refuses larger times */
    bool ok = check_chain(&chain, claimed, root_der, at_ms, err) &&
              check_signature(chain.certs[chain.count - 1], cose, err);
    chain_clear(&chain);
    return ok;
}

bool attestation_verify(struct attestation *out, struct bytes document, struct bytes root_der,
                        int64_t at_ms, struct error *err)
{
    struct attestation claimed = {0};
    struct cose_sign1 cose = {0};
    *out = (struct attestation){0};
    if (!check_shape(&claimed, &cose, document, err) ||
        !verify(&claimed, &cose, root_der, at_ms, err))
        return false;
    *out = claimed;
    return true;
}

bool attestation_verify_by_fingerprint(struct attestation *out, struct bytes document,
                                       const uint8_t root_sha256[SHA256_SIZE], int64_t at_ms,
                                       struct error *err)
{
    struct attestation claimed = {0};
    struct cose_sign1 cose = {0};
    uint8_t digest[SHA256_SIZE];
    *out = (struct attestation){0};
    if (!check_shape(&claimed, &cose, document, err))
        return false;
    if (!sha256(digest, claimed.cabundle[0]))
        return error_set(err, ERROR_CRYPTO, "root: cannot compute its fingerprint");
    if (memcmp(digest, root_sha256, sizeof digest) != 0)
        return error_set(err, ERROR_CERTIFICATE,
                         "root: the document's root is not the trusted one");
    if (!verify(&claimed, &cose, claimed.cabundle[0], at_ms, err))
        return false;
    *out = claimed;
    return true;
}
