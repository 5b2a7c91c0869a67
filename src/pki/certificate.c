/* SPDX-License-Identifier: Apache-2.0 */
#include "pki/certificate.h"

#include <limits.h>
#include <stdlib.h>
#include <time.h>

#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "formats/json_print.h"
#include "pki/pem_key.h"

#define DATE_SHOWN 64 /* bytes */

struct certificate {
    X509 *x509;
};

struct certificate *certificate_from_pem(struct bytes pem, struct error *err)
{
    struct certificate *certificate = calloc(1, sizeof *certificate);
    BIO *bio = pem.len > INT_MAX ? NULL : BIO_new_mem_buf(pem.at, (int)pem.len);
    X509 *x509 = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, pem_no_passphrase, NULL);
    BIO_free(bio);
    ERR_clear_error();
    if (certificate != NULL && x509 != NULL) {
        certificate->x509 = x509;
        return certificate;
    }
    X509_free(x509);
    free(certificate);
    error_set(err, ERROR_CERTIFICATE, "not a certificate in PEM");
    return NULL;
}

bool certificate_pem_has_key(struct bytes pem)
{
    static const char label[] = "PRIVATE KEY-----";
    return pem.len > 0 && memmem(pem.at, pem.len, label, sizeof label - 1) != NULL;
}

void certificate_free(struct certificate *certificate)
{
    if (certificate == NULL)
        return;
    X509_free(certificate->x509);
    free(certificate);
}

/* Appends and frees what an i2d function allocated. */
static void take_der(struct buffer *out, uint8_t *der, int len)
{
    if (len > 0)
        buffer_append(out, bytes_of(der, (size_t)len));
    else
        out->failed = true;
    OPENSSL_free(der);
    ERR_clear_error();
}

void certificate_der(const struct certificate *certificate, struct buffer *out)
{
    uint8_t *der = NULL;
    int len = i2d_X509(certificate->x509, &der);
    take_der(out, der, len);
}

void certificate_spki(const struct certificate *certificate, struct buffer *out)
{
    uint8_t *der = NULL;
    int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate->x509), &der);
    take_der(out, der, len);
}

/* Appends what was printed to a memory BIO, and frees it. */
static void take_text(struct buffer *out, BIO *bio, bool printed)
{
    char *at = NULL;
    long len = bio == NULL || !printed ? -1 : BIO_get_mem_data(bio, &at);
    if (len >= 0)
        buffer_append(out, bytes_of(at, (size_t)len));
    else
        out->failed = true;
    BIO_free(bio);
    ERR_clear_error();
}

static void put_name(struct buffer *out, const X509_NAME *name)
{
    BIO *bio = BIO_new(BIO_s_mem());
    take_text(out, bio, bio != NULL && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0);
}

void certificate_subject(const struct certificate *certificate, struct buffer *out)
{
    put_name(out, X509_get_subject_name(certificate->x509));
}

void certificate_issuer(const struct certificate *certificate, struct buffer *out)
{
    put_name(out, X509_get_issuer_name(certificate->x509));
}

/* Of several entries of one kind only the last is shown, so that no member occurs twice. */
static bool is_last(const X509_NAME *name, int i)
{
    ASN1_OBJECT *kind = X509_NAME_ENTRY_get_object(X509_NAME_get_entry(name, i));
    return X509_NAME_get_index_by_OBJ(name, kind, i) < 0;
}

static void put_json(struct buffer *out, const X509_NAME *name)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    for (int i = 0; i < X509_NAME_entry_count(name); i++) {
        char kind[128];
        uint8_t *value = NULL;
        const X509_NAME_ENTRY *entry = X509_NAME_get_entry(name, i);
        int kind_len = OBJ_obj2txt(kind, sizeof kind, X509_NAME_ENTRY_get_object(entry), 0);
        int len = ASN1_STRING_to_UTF8(&value, X509_NAME_ENTRY_get_data(entry));
        if (kind_len > 0 && kind_len < (int)sizeof kind && len >= 0 && is_last(name, i))
            json_text_named(&w, bytes_of(kind, (size_t)kind_len), bytes_of(value, (size_t)len));
        if (len >= 0)
            OPENSSL_free(value);
    }
    json_end(&w);
    ERR_clear_error();
}

void certificate_subject_json(const struct certificate *certificate, struct buffer *out)
{
    put_json(out, X509_get_subject_name(certificate->x509));
}

void certificate_issuer_json(const struct certificate *certificate, struct buffer *out)
{
    put_json(out, X509_get_issuer_name(certificate->x509));
}

/* An encoding of a date can be a string of any bytes, such as a month of 99. */
static void put_no_date(struct buffer *out, const ASN1_TIME *when)
{
    const uint8_t *text = ASN1_STRING_get0_data(when);
    int len = ASN1_STRING_length(when);
    buffer_text(out, "not a date: ");
    for (int i = 0; i < len && i < DATE_SHOWN; i++)
        buffer_byte(out, text[i] > ' ' && text[i] < 0x7f ? text[i] : '?');
}

static void put_time(struct buffer *out, const ASN1_TIME *when)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(when, &tm) != 1) {
        ERR_clear_error();
        put_no_date(out, when);
        return;
    }
    BIO *bio = BIO_new(BIO_s_mem());
    take_text(out, bio, bio != NULL && ASN1_TIME_print(bio, when) == 1);
}

void certificate_not_before(const struct certificate *certificate, struct buffer *out)
{
    put_time(out, X509_get0_notBefore(certificate->x509));
}

void certificate_not_after(const struct certificate *certificate, struct buffer *out)
{
    put_time(out, X509_get0_notAfter(certificate->x509));
}

static bool read_time(const ASN1_TIME *when, int64_t *seconds)
{
    struct tm tm;
    bool good = ASN1_TIME_to_tm(when, &tm) == 1;
    ERR_clear_error();
    *seconds = good ? (int64_t)timegm(&tm) : 0;
    return good;
}

bool certificate_dates(const struct certificate *certificate, int64_t *not_before_s,
                       int64_t *not_after_s)
{
    return read_time(X509_get0_notBefore(certificate->x509), not_before_s) &&
           read_time(X509_get0_notAfter(certificate->x509), not_after_s);
}

bool certificate_valid_at(const struct certificate *certificate, int64_t at_s, struct error *err)
{
    int64_t not_before, not_after;
    if (!certificate_dates(certificate, &not_before, &not_after))
        return error_set(err, ERROR_CERTIFICATE, "its dates cannot be read");
    if (at_s >= not_before && at_s <= not_after)
        return true;
    BUFFER_AUTO date;
    buffer_init(&date, DATE_SHOWN + 1);
    bool early = at_s < not_before;
    put_time(&date, early ? X509_get0_notBefore(certificate->x509)
                          : X509_get0_notAfter(certificate->x509));
    buffer_byte(&date, '\0');
    return error_set(err, ERROR_CERTIFICATE, "it %s %s",
                     early ? "is not valid before" : "expired on",
                     date.failed ? "its date" : (const char *)date.at);
}

void certificate_algorithm(const struct certificate *certificate, struct buffer *out)
{
    char name[128];
    const X509_ALGOR *algorithm = NULL;
    const ASN1_OBJECT *object = NULL;
    X509_get0_signature(NULL, &algorithm, certificate->x509);
    X509_ALGOR_get0(&object, NULL, NULL, algorithm);
    int len = OBJ_obj2txt(name, sizeof name, object, 0);
    if (len > 0 && len < (int)sizeof name)
        buffer_append(out, bytes_of(name, (size_t)len));
}

void certificate_signature(const struct certificate *certificate, struct buffer *out)
{
    const ASN1_BIT_STRING *signature = NULL;
    X509_get0_signature(&signature, NULL, certificate->x509);
    for (int i = 0; i < ASN1_STRING_length(signature); i++)
        buffer_printf(out, "%s%02X", i == 0 ? "" : ":", ASN1_STRING_get0_data(signature)[i]);
}
