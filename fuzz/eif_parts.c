/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The sections of an image that are parsed. The first byte chooses: a signature, what is signed, or
 * metadata.
 */
#include "fuzz/fuzz.h"

#include "image/eif_metadata.h"
#include "image/eif_sign.h"
#include "image/eif_signature.h"
#include "pki/certificate.h"

static void show(struct bytes pem)
{
    static void (*const parts[])(const struct certificate *, struct buffer *) = {
        certificate_der,        certificate_spki,        certificate_subject,
        certificate_issuer,     certificate_issuer_json, certificate_subject_json,
        certificate_not_before, certificate_not_after,   certificate_algorithm,
        certificate_signature};
    struct error err = {0};
    struct certificate *certificate = certificate_from_pem(pem, &err);
    FUZZ_CHECK((certificate != NULL) == (err.code == ERROR_NONE));
    for (size_t i = 0; certificate != NULL && i < ARRAY_LEN(parts); i++) {
        BUFFER_AUTO out = {.limit = 1u << 20};
        parts[i](certificate, &out);
    }
    certificate_free(certificate);
}

static void signature(struct bytes section)
{
    static const uint8_t pcr0[SHA384_SIZE];
    struct eif_signature parsed = {0};
    struct error err = {0};
    if (eif_signature_parse(&parsed, section, &err)) {
        FUZZ_CHECK(parsed.certificate.len + parsed.cose.len < section.len);
        show(buffer_bytes(&parsed.certificate));
        /* The fuzzer has no key that signed this register. */
        FUZZ_CHECK(!eif_signature_verify(section, pcr0, &err) && err.code != ERROR_NONE);
    } else {
        FUZZ_CHECK(err.code == ERROR_FORMAT);
    }
    eif_signature_clear(&parsed);
}

static void payload(struct bytes bytes)
{
    uint64_t index = 0;
    uint8_t value[SHA384_SIZE];
    struct error err = {0};
    FUZZ_CHECK(eif_payload_parse(bytes, &index, value, &err) == (err.code == ERROR_NONE));
}

static void metadata(struct bytes text)
{
    struct json doc;
    struct error err = {0};
    json_init(&doc, JSON_DEPTH);
    FUZZ_CHECK(eif_metadata_parse(&doc, text, &err) == (err.code == ERROR_NONE));
    json_clear(&doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(struct bytes) = {signature, payload, metadata};
    if (size > 0)
        parts[data[0] % ARRAY_LEN(parts)](bytes_of(data + 1, size - 1));
    return 0;
}
