/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/cms.h"

#include "codec/ber.h"

/* Object identifiers, content octets only. */
#define OID(name, ...) static const uint8_t name[] = {__VA_ARGS__}
OID(oid_enveloped_data, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x03);
OID(oid_data, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01);
OID(oid_rsaes_oaep, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x07);
OID(oid_mgf1, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x08);
OID(oid_sha256, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01);
OID(oid_aes256_cbc, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a);

#define IS_OID(r, oid) bytes_equal(ber_take((r), BER_OID), bytes_of((oid), sizeof(oid)))

static bool bad(struct error *err, const char *what)
{
    return error_set(err, ERROR_ENVELOPE, "the CMS envelope: %s", what);
}

/* Blames the shape if reading failed, otherwise the value if it is not the expected one. */
static bool expect(const struct ber *r, bool value, struct error *err, const char *what)
{
    if (r->failed)
        return bad(err, "not BER of the expected shape");
    return value ? true : bad(err, what);
}

/* AlgorithmIdentifier ::= SEQUENCE { OID sha256, NULL OPTIONAL } */
static bool sha256_identifier(struct ber *r)
{
    ber_enter(r, BER_SEQUENCE);
    bool known = IS_OID(r, oid_sha256);
    if (known && ber_peek(r) == BER_NULL)
        known = ber_take(r, BER_NULL).len == 0;
    if (known)
        ber_leave(r);
    return known;
}

/*
 * RSAES-OAEP-params (RFC 4055): SEQUENCE { [0] hash, [1] mask generation, [2] label }. An absent
 * [0] or [1] means SHA-1.
 */
static bool oaep_parameters(struct ber *r, struct error *err)
{
    static const char hash[] = "the OAEP hash is not SHA-256";
    static const char mask[] = "the OAEP mask generation is not MGF1 with SHA-256";
    ber_enter(r, BER_SEQUENCE);
    if (!expect(r, ber_peek(r) == BER_CONTEXT_CONSTRUCTED(0), err, hash))
        return false;
    ber_enter(r, BER_CONTEXT_CONSTRUCTED(0));
    if (!expect(r, sha256_identifier(r), err, hash))
        return false;
    ber_leave(r);
    if (!expect(r, ber_peek(r) == BER_CONTEXT_CONSTRUCTED(1), err, mask))
        return false;
    ber_enter(r, BER_CONTEXT_CONSTRUCTED(1));
    ber_enter(r, BER_SEQUENCE);
    if (!expect(r, IS_OID(r, oid_mgf1), err, mask) || !expect(r, sha256_identifier(r), err, mask))
        return false;
    ber_leave(r);
    ber_leave(r);
    if (!expect(r, ber_peek(r) != BER_CONTEXT_CONSTRUCTED(2), err, "OAEP has a label"))
        return false;
    ber_leave(r);
    return expect(r, true, err, NULL);
}

/* Versions are 0 or 2, by the kind of recipient identifier. */
static bool version(struct ber *r)
{
    struct bytes number = ber_take(r, BER_INTEGER);
    return number.len == 1 && (number.at[0] == 0 || number.at[0] == 2);
}

/*
 * KeyTransRecipientInfo ::= SEQUENCE { version, issuerAndSerialNumber | [0] subjectKeyIdentifier,
 * keyEncryptionAlgorithm, encryptedKey }. Which recipient it names does not matter: our key opens
 * it or does not.
 */
static bool recipient_info(struct bytes *wrapped_key, struct ber *r, struct error *err)
{
    if (!expect(r, ber_peek(r) == BER_SEQUENCE, err,
                "the recipient is not a KeyTransRecipientInfo"))
        return false;
    ber_enter(r, BER_SEQUENCE);
    if (!expect(r, version(r), err, "unknown version of the recipient"))
        return false;
    if (ber_peek(r) == BER_CONTEXT(0))
        ber_take(r, BER_CONTEXT(0));
    else if (ber_peek(r) == BER_SEQUENCE)
        ber_skip(r);
    ber_enter(r, BER_SEQUENCE);
    if (!expect(r, IS_OID(r, oid_rsaes_oaep), err, "the key encryption is not RSAES-OAEP") ||
        !oaep_parameters(r, err))
        return false;
    ber_leave(r);
    *wrapped_key = ber_take(r, BER_OCTET_STRING);
    ber_leave(r);
    return expect(r, wrapped_key->len == CMS_WRAPPED_KEY_SIZE, err,
                  "the encrypted key is not 256 bytes");
}

/* [0] IMPLICIT OCTET STRING: primitive, or constructed from OCTET STRINGs. */
static void encrypted_content(struct buffer *content, struct ber *r)
{
    if (ber_peek(r) != BER_CONTEXT_CONSTRUCTED(0)) {
        buffer_append(content, ber_take(r, BER_CONTEXT(0)));
        return;
    }
    ber_enter(r, BER_CONTEXT_CONSTRUCTED(0));
    while (ber_peek(r) == BER_OCTET_STRING)
        buffer_append(content, ber_take(r, BER_OCTET_STRING));
    ber_leave(r);
}

/* EncryptedContentInfo ::= SEQUENCE { contentType, contentEncryptionAlgorithm, content } */
static bool content_info(struct bytes *iv, struct buffer *content, struct ber *r, struct error *err)
{
    ber_enter(r, BER_SEQUENCE);
    if (!expect(r, IS_OID(r, oid_data), err, "the content is not data"))
        return false;
    ber_enter(r, BER_SEQUENCE);
    if (!expect(r, IS_OID(r, oid_aes256_cbc), err, "the content cipher is not AES-256-CBC"))
        return false;
    *iv = ber_take(r, BER_OCTET_STRING);
    ber_leave(r);
    if (!expect(r, iv->len == CMS_IV_SIZE, err, "the IV is not 16 bytes"))
        return false;
    encrypted_content(content, r);
    ber_leave(r);
    return expect(r, !content->failed, err, "the content is too long");
}

/* ContentInfo ::= SEQUENCE { OID, [0] SEQUENCE { version, SET OF RecipientInfo, content info } } */
bool cms_parse(struct cms_envelope *out, struct buffer *content, struct bytes input,
               struct error *err)
{
    struct ber r;
    ber_init(&r, input);
    ber_enter(&r, BER_SEQUENCE);
    if (!expect(&r, IS_OID(&r, oid_enveloped_data), err, "not EnvelopedData"))
        return false;
    ber_enter(&r, BER_CONTEXT_CONSTRUCTED(0));
    ber_enter(&r, BER_SEQUENCE);
    if (!expect(&r, version(&r), err, "unknown version"))
        return false;
    ber_enter(&r, BER_SET);
    if (!recipient_info(&out->wrapped_key, &r, err) ||
        !expect(&r, ber_peek(&r) == 0, err, "more than one recipient"))
        return false;
    ber_leave(&r);
    if (!content_info(&out->iv, content, &r, err))
        return false;
    ber_leave(&r);
    ber_leave(&r);
    ber_leave(&r);
    return expect(&r, ber_done(&r), err, "bytes follow the envelope");
}
