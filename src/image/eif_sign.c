/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_sign.h"

#include "formats/cose.h"
#include "image/eif_internal.h"
#include "image/eif_signature.h"
#include "image/eif_writer.h"
#include "pki/certificate.h"
#include "pki/ecdsa.h"

#define COSE_MAX 1024 /* header, payload of about 140 bytes, signature of up to 132 */

/* All sections except a signature. */
static bool copy_sections(const struct eif_file *from, struct eif_writer *to, struct error *err)
{
    for (size_t i = 0; i < from->section_count; i++) {
        const struct eif_section *section = &from->sections[i];
        if (section->type == EIF_SIGNATURE)
            continue;
        if (!eif_writer_begin(to, (enum eif_type)section->type, err) ||
            !eif_stream(from, section->offset, section->size, output_write, &to->output, err) ||
            !eif_writer_end(to, err))
            return false;
    }
    return true;
}

/* A new CRC must not turn a damaged image into a good one. */
static bool check_crc(const struct eif_file *file, struct error *err)
{
    uint32_t crc;
    if (!eif_file_crc(file, &crc, err))
        return false;
    return crc == file->header.crc ||
           error_set(err, ERROR_FORMAT, "%.200s is damaged: its CRC is %08x and should be %08x",
                     file->path, file->header.crc, crc);
}

/* Whoever signs may take long, and meanwhile another program may write to the image. */
static bool check_pcr0(const struct eif_file *file, const struct eif_measurements *before,
                       const struct eif_measurements *now, struct error *err)
{
    return before == NULL || memcmp(before->pcr0, now->pcr0, sizeof now->pcr0) == 0 ||
           error_set(err, ERROR_FORMAT, "%.200s changed while it was signed: sign it again",
                     file->path);
}

/* before: what was measured when the signature was asked for; NULL: there is none. */
static bool write_signed(const struct eif_file *file, const char *output, struct bytes signature,
                         const struct eif_measurements *before, struct eif_measurements *out,
                         struct error *err)
{
    struct eif_writer writer;
    struct eif_file written = {.fd = -1};
    bool good = eif_writer_open(&writer, output, file->header.flags, err);
    writer.header.default_memory = file->header.default_memory;
    writer.header.default_cpus = file->header.default_cpus;
    good = good && copy_sections(file, &writer, err) &&
           (signature.len == 0 || eif_writer_section(&writer, EIF_SIGNATURE, signature, err)) &&
           eif_writer_finish(&writer, err) && eif_file_open(&written, writer.output.next, err) &&
           eif_file_measure(&written, out, err) && check_pcr0(file, before, out, err) &&
           output_commit(&writer.output, err);
    eif_file_close(&written);
    eif_writer_discard(&writer);
    return good;
}

/* --- what is to be signed --- */

/* The old signature is dropped, even if it cannot be parsed. */
static bool measure_unsigned(const struct eif_file *file, struct eif_measurements *out,
                             struct error *err)
{
    struct eif_file bare = *file;
    for (size_t i = 0; i < bare.section_count; i++)
        if (bare.sections[i].type == EIF_SIGNATURE)
            bare.sections[i].type = 0;
    return eif_file_measure(&bare, out, err);
}

static bool take_certificate(struct eif_signing *s, struct error *err)
{
    s->algorithm = COSE_ES384;
    if (s->certificate_pem.len == 0)
        return true;
    struct certificate *certificate = certificate_from_pem(s->certificate_pem, err);
    if (certificate == NULL)
        return false;
    certificate_spki(certificate, &s->spki);
    certificate_free(certificate);
    if (certificate_pem_has_key(s->certificate_pem))
        return error_set(err, ERROR_CERTIFICATE,
                         "there is a private key in the file of the certificate, and the image "
                         "would contain it: give a file with the certificate alone");
    s->algorithm = s->spki.failed ? 0 : ecdsa_algorithm_of(buffer_bytes(&s->spki));
    return s->algorithm != 0 || error_set(err, ERROR_CERTIFICATE,
                                          "the key of the certificate is not a P-256, P-384 or "
                                          "P-521 key");
}

static bool make_message(struct eif_signing *s, struct error *err)
{
    cose_put_protected(&s->header, (enum cose_algorithm)s->algorithm);
    eif_payload_put(&s->payload, 0, s->registers.pcr0);
    cose_sign1_to_be_signed(&s->message, buffer_bytes(&s->header), buffer_bytes(&s->payload));
    return (!s->message.failed &&
            ecdsa_digest(s->algorithm, buffer_bytes(&s->message), &s->digest)) ||
           error_set(err, ERROR_CRYPTO, "what is to be signed cannot be hashed");
}

bool eif_signing_open(struct eif_signing *out, const char *path, struct bytes certificate_pem,
                      struct error *err)
{
    *out = (struct eif_signing){.certificate_pem = certificate_pem};
    buffer_init(&out->spki, EIF_SIGNATURE_MAX);
    buffer_init(&out->header, COSE_MAX);
    buffer_init(&out->payload, COSE_MAX);
    buffer_init(&out->message, COSE_MAX);
    buffer_init(&out->digest, ECDSA_DIGEST_MAX);
    return take_certificate(out, err) && eif_file_open(&out->file, path, err) &&
           check_crc(&out->file, err) && measure_unsigned(&out->file, &out->registers, err) &&
           make_message(out, err);
}

void eif_signing_close(struct eif_signing *signing)
{
    eif_file_close(&signing->file);
    buffer_clear(&signing->spki);
    buffer_clear(&signing->header);
    buffer_clear(&signing->payload);
    buffer_clear(&signing->message);
    buffer_clear(&signing->digest);
}

/* --- the signature section --- */

/* Appends the section's data. */
static bool make_section(const struct eif_signing *s, struct bytes raw, struct buffer *out,
                         struct error *err)
{
    BUFFER_AUTO cose;
    buffer_init(&cose, COSE_MAX);
    cose_put_sign1(&cose, buffer_bytes(&s->header), buffer_bytes(&s->payload), raw);
    eif_signature_put(out, s->certificate_pem, buffer_bytes(&cose));
    return (!cose.failed && !out->failed) ||
           error_set(err, ERROR_USAGE,
                     "the certificate is too long: a signature section has at most %d bytes",
                     EIF_SIGNATURE_MAX);
}

bool eif_signing_finish(struct eif_signing *s, struct bytes signature, const char *output,
                        struct eif_measurements *out, struct error *err)
{
    BUFFER_AUTO raw;
    BUFFER_AUTO section;
    buffer_init(&raw, ECDSA_RAW_SIZE);
    buffer_init(&section, EIF_SIGNATURE_MAX);
    if (!ecdsa_to_raw(s->algorithm, signature, &raw, err))
        return false;
    if (!ecdsa_verify_raw(s->algorithm, buffer_bytes(&s->spki), buffer_bytes(&s->message),
                          buffer_bytes(&raw)))
        return error_set(err, ERROR_SIGNATURE,
                         "the signature does not verify: it is by another key than the "
                         "certificate's, or over something else than this image's digest");
    return make_section(s, buffer_bytes(&raw), &section, err) &&
           write_signed(&s->file, output, buffer_bytes(&section), &s->registers, out, err);
}

bool eif_unsign(const char *path, const char *output, struct eif_measurements *out,
                struct error *err)
{
    struct eif_file file;
    if (!eif_file_open(&file, path, err))
        return false;
    bool good = check_crc(&file, err);
    if (good && eif_file_find(&file, EIF_SIGNATURE) == EIF_NO_SECTION)
        good = error_set(err, ERROR_USAGE, "%.200s is not signed", path);
    good = good && write_signed(&file, output, bytes_of(NULL, 0), NULL, out, err);
    eif_file_close(&file);
    return good;
}

/* --- verification --- */

static bool other_encoding(struct error *err, const char *what)
{
    return error_set(err, ERROR_FORMAT,
                     "signature section: %s is not encoded as nitro-cli encodes it: integers and "
                     "lengths in their shortest form, members in their order, nothing more",
                     what);
}

/* No register measures how the signature is encoded. One encoding is taken, the one that
 * aws-nitro-enclaves-image-format writes. */
static bool check_section(const struct eif_signature *signature, struct bytes section,
                          struct error *err)
{
    BUFFER_AUTO again;
    buffer_init(&again, section.len);
    eif_signature_put(&again, buffer_bytes(&signature->certificate),
                      buffer_bytes(&signature->cose));
    return (!again.failed && bytes_equal(buffer_bytes(&again), section)) ||
           other_encoding(err, "it");
}

static bool check_cose(const struct cose_sign1 *cose, struct bytes whole,
                       const uint8_t value[SHA384_SIZE], struct error *err)
{
    BUFFER_AUTO header;
    BUFFER_AUTO payload;
    BUFFER_AUTO again;
    buffer_init(&header, COSE_MAX);
    buffer_init(&payload, COSE_MAX);
    buffer_init(&again, COSE_MAX);
    cose_put_protected(&header, (enum cose_algorithm)cose->algorithm);
    eif_payload_put(&payload, 0, value);
    cose_put_sign1(&again, buffer_bytes(&header), buffer_bytes(&payload), cose->signature);
    return (!again.failed && bytes_equal(buffer_bytes(&again), whole)) ||
           other_encoding(err, "its COSE_Sign1");
}

/* Verifies the COSE_Sign1 with the certificate's key. */
static bool verify_cose(const struct eif_signature *signature, const uint8_t pcr0[SHA384_SIZE],
                        struct bytes spki, struct error *err)
{
    struct cose_sign1 cose;
    uint64_t index = 0;
    uint8_t value[SHA384_SIZE];
    BUFFER_AUTO message;
    buffer_init(&message, (size_t)2 * EIF_SIGNATURE_MAX);
    if (!cose_sign1_parse(&cose, buffer_bytes(&signature->cose), COSE_UNTAGGED, err) ||
        !eif_payload_parse(cose.payload, &index, value, err))
        return false;
    cose_sign1_to_be_signed(&message, cose.protected_header, cose.payload);
    if (message.failed ||
        !ecdsa_verify_raw(cose.algorithm, spki, buffer_bytes(&message), cose.signature))
        return error_set(err, ERROR_SIGNATURE,
                         "the signature does not verify under its certificate's key");
    if (index != 0)
        return error_set(err, ERROR_SIGNATURE, "the signature covers register %llu, not PCR0",
                         (unsigned long long)index);
    if (!bytes_equal(bytes_of(value, sizeof value), bytes_of(pcr0, SHA384_SIZE)))
        return error_set(err, ERROR_SIGNATURE,
                         "the signature verifies, but is over the PCR0 of another image");
    return check_cose(&cose, buffer_bytes(&signature->cose), value, err);
}

bool eif_signature_verify(struct bytes section, const uint8_t pcr0[SHA384_SIZE], struct error *err)
{
    struct eif_signature signature = {0};
    struct certificate *certificate = NULL;
    struct buffer spki;
    buffer_init(&spki, EIF_SIGNATURE_MAX);
    bool good =
        eif_signature_parse(&signature, section, err) && check_section(&signature, section, err);
    if (good) {
        certificate = certificate_from_pem(buffer_bytes(&signature.certificate), err);
        good = certificate != NULL;
    }
    if (good && certificate_pem_has_key(buffer_bytes(&signature.certificate)))
        good = error_set(err, ERROR_CERTIFICATE,
                         "there is a private key in the signature section, beside the "
                         "certificate: use this key no more, for who has the image has it");
    if (good) {
        certificate_spki(certificate, &spki);
        good = verify_cose(&signature, pcr0, buffer_bytes(&spki), err);
    }
    buffer_clear(&spki);
    certificate_free(certificate);
    eif_signature_clear(&signature);
    return good;
}
