/* SPDX-License-Identifier: Apache-2.0 */
/* Attestation documents: those that AWS signed, and documents of our own, true and false. */
#include "tests/unit/vectors.h"

#include "formats/attestation.h"
#include "formats/cbor_types.h"
#include "formats/cose.h"
#include "pki/attestation_verify.h"
#include "pki/pki.h"

#define NOW_S  1800000000
#define NOW_MS ((int64_t)NOW_S * 1000)
#define HOUR   3600

static bool member_true(const struct json *doc, json_value v, const char *name)
{
    json_value member = json_member(doc, v, name);
    assert_true(member != JSON_NONE);
    return json_type(doc, member) == JSON_TRUE;
}

static uint32_t listed_registers(const struct json *doc, json_value v)
{
    uint32_t set = 0;
    json_value array = json_member(doc, v, "pcrs");
    for (json_value i = json_first(doc, array); i != JSON_NONE; i = json_next(doc, array, i)) {
        int64_t index;
        assert_true(json_int64(doc, i, &index) && index >= 0 && index < PCR_COUNT);
        set |= (uint32_t)1 << index;
    }
    return set;
}

static void assert_length(const struct json *doc, json_value v, const char *name,
                          const struct attestation_optional *field)
{
    int64_t len;
    json_value member = json_member(doc, v, name);
    bool present = json_type(doc, member) != JSON_NULL;
    assert_int_equal(present, field->present);
    if (present) {
        assert_true(json_int64(doc, member, &len));
        assert_int_equal(len, (int64_t)field->value.len);
    }
}

static void assert_register(const struct json *doc, json_value v, const char *name,
                            struct bytes value)
{
    BUFFER_AUTO want = vector_hex(doc, json_member(doc, v, name));
    assert_true(bytes_equal(buffer_bytes(&want), value));
}

static const uint8_t zeros[PCR_SIZE];

/* What the index says of a document that parses. */
static void assert_as_indexed(const struct json *doc, json_value v, const struct attestation *a)
{
    int64_t timestamp;
    assert_true(json_int64(doc, json_member(doc, v, "ts_ms"), &timestamp));
    assert_int_equal(a->timestamp_ms, timestamp);
    assert_true(a->pcr_present == listed_registers(doc, v));
    /* The index says debug where register 0 is zero. */
    assert_int_equal(bytes_equal(a->pcr[0], bytes_of(zeros, PCR_SIZE)),
                     member_true(doc, v, "debug"));
    assert_register(doc, v, "pcr0", a->pcr[0]);
    assert_register(doc, v, "pcr3", a->pcr[3]);
    assert_register(doc, v, "pcr4", a->pcr[4]);
    assert_register(doc, v, "pcr8", a->pcr[8]);
    assert_length(doc, v, "user_data_len", &a->user_data);
    assert_length(doc, v, "nonce_len", &a->nonce);
    assert_length(doc, v, "public_key_len", &a->public_key);
    int64_t bundle;
    assert_true(json_int64(doc, json_member(doc, v, "cabundle"), &bundle));
    assert_int_equal(a->cabundle_count, bundle);
}

/* Flips bits over the document; none may leave it believed. */
static void assert_no_flip_believed(struct buffer *document, struct bytes root, int64_t at_ms,
                                    size_t step)
{
    struct attestation a;
    struct error err;
    for (size_t i = 0; i < document->len; i += step) {
        uint8_t bit = (uint8_t)(1u << (i % 8));
        document->at[i] ^= bit;
        if (attestation_verify(&a, buffer_bytes(document), root, at_ms, &err))
            fail_msg("believed with bit %zu of byte %zu changed", i % 8, i);
        assert_null(a.module_id.at);
        document->at[i] ^= bit;
    }
}

/* Not two days before it was signed, and not after the leaf's three hours. */
static void assert_no_other_time(const struct buffer *document, struct bytes root, int64_t at_ms)
{
    struct attestation a;
    struct error err;
    assert_false(
        attestation_verify(&a, buffer_bytes(document), root, at_ms - 48LL * HOUR * 1000, &err));
    assert_int_equal(err.code, ERROR_CERTIFICATE);
    assert_non_null(strstr(err.cause, "not yet valid"));
    assert_false(
        attestation_verify(&a, buffer_bytes(document), root, at_ms + 4LL * HOUR * 1000, &err));
    assert_non_null(strstr(err.cause, "expired"));
}

static void real_document(const struct json *doc, json_value v, struct bytes aws_root)
{
    BUFFER_AUTO name = {.limit = 256};
    assert_true(json_string(doc, json_member(doc, v, "file"), &name));
    char path[512];
    snprintf(path, sizeof path, "attestation/%.*s", (int)name.len, (const char *)name.at);
    BUFFER_AUTO document = vector_file(path);
    struct cose_sign1 cose;
    struct attestation a;
    struct error err = {0};
    if (!cose_sign1_parse(&cose, buffer_bytes(&document), COSE_UNTAGGED, &err) ||
        !attestation_parse(&a, cose.payload, &err))
        fail_msg("%s: %s", path, err.cause);
    assert_as_indexed(doc, v, &a);
    int64_t at_ms = (int64_t)a.timestamp_ms;
    struct bytes own_root = a.cabundle[0];
    struct attestation believed;

    /* Under AWS's root only what is under AWS's root, with a good chain and signature. */
    bool good = member_true(doc, v, "chain_ok") && member_true(doc, v, "cose_sig_ok");
    bool aws = member_true(doc, v, "aws_root");
    bool ok = attestation_verify(&believed, buffer_bytes(&document), aws_root, at_ms, &err);
    if (ok != (good && aws))
        fail_msg("%s: %d %s", path, ok, err.cause);
    if (!aws)
        assert_int_equal(strncmp(err.cause, "root:", 5), 0);
    /* The same by the root's fingerprint, at the time that the document states. */
    ok = attestation_verify_by_fingerprint(&believed, buffer_bytes(&document), attestation_aws_root,
                                           ATTESTATION_OWN_TIME, &err);
    if (ok != (good && aws))
        fail_msg("%s by fingerprint: %d %s", path, ok, err.cause);
    assert_true(ok || believed.module_id.at == NULL);
    /* Under its own root. */
    ok = attestation_verify(&believed, buffer_bytes(&document), own_root, at_ms, &err);
    if (ok != good)
        fail_msg("%s under its own root: %d %s", path, ok, err.cause);
    if (!member_true(doc, v, "cose_sig_ok"))
        assert_int_equal(err.code, ERROR_SIGNATURE);
    if (!ok)
        return;
    assert_as_indexed(doc, v, &believed);
    if (aws)
        assert_no_other_time(&document, own_root, at_ms);
    assert_no_flip_believed(&document, own_root, at_ms, 97);
}

static void documents_of_the_field_are_judged_as_indexed(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("attestation documents");
    BUFFER_AUTO root = vector_file("root/aws_nitro_root_cert.der");
    BUFFER_AUTO text = {0};
    struct json doc = vector_json("attestation/index.json", &text);
    size_t count = 0;
    for (json_value v = json_first(&doc, 0); v != JSON_NONE; v = json_next(&doc, 0, v), count++)
        real_document(&doc, v, buffer_bytes(&root));
    json_clear(&doc);
    assert_int_equal(count, 12);
}

/* A chain of our own: 0 root, 1 zonal, 2 instance, 3 leaf; and what a test changes in it. */
#define CERTS 4

struct chain {
    struct pki_key *keys[CERTS];
    struct buffer certs[CERTS];
    struct pki_subject subjects[CERTS];
};

static void chain_init(struct chain *chain)
{
    *chain = (struct chain){0};
    static const char *const names[CERTS] = {"root", "zonal", "instance", "leaf"};
    struct error err;
    for (size_t i = 0; i < CERTS; i++) {
        chain->keys[i] = pki_key_new(&err);
        assert_non_null(chain->keys[i]);
        buffer_init(&chain->certs[i], ATTESTATION_CERT_MAX);
        chain->subjects[i] = (struct pki_subject){
            .common_name = names[i],
            .organizational_unit = "tests",
            .not_before_s = NOW_S - HOUR,
            .not_after_s = NOW_S + HOUR,
            .role = i + 1 < CERTS ? PKI_AUTHORITY : PKI_NSM_LEAF,
            .path_length = i == 0 ? -1 : 2 - (int)i,
        };
    }
}

static void chain_issue(struct chain *chain)
{
    struct error err;
    for (size_t i = 0; i < CERTS; i++) {
        size_t issuer = i == 0 ? 0 : i - 1;
        buffer_reset(&chain->certs[i]);
        struct bytes issuer_der = i == 0 ? bytes_of(NULL, 0) : buffer_bytes(&chain->certs[issuer]);
        if (!pki_issue(&chain->certs[i], &chain->subjects[i], chain->keys[i], issuer_der,
                       chain->keys[issuer], &err))
            fail_msg("%s", err.cause);
    }
}

static void chain_clear(struct chain *chain)
{
    for (size_t i = 0; i < CERTS; i++) {
        pki_key_free(chain->keys[i]);
        buffer_clear(&chain->certs[i]);
    }
}

static const uint8_t ones[PCR_SIZE] = {1, 1, 1};

static struct attestation claims_of(const struct chain *chain)
{
    struct attestation a = {
        .module_id = bytes_text("i-0123456789abcdef0-enc0123456789abcdef"),
        .timestamp_ms = NOW_MS,
        .pcr_present = 0x1ffff,
        .certificate = buffer_bytes(&chain->certs[CERTS - 1]),
        .cabundle_count = CERTS - 1,
        .public_key = {true, bytes_text("a key")},
        .nonce = {true, bytes_of(zeros, 0)},
    };
    for (size_t i = 0; i < PCR_COUNT; i++)
        a.pcr[i] = bytes_of(i == 0 ? ones : zeros, PCR_SIZE);
    for (size_t i = 0; i + 1 < CERTS; i++)
        a.cabundle[i] = buffer_bytes(&chain->certs[i]);
    return a;
}

/* Signs payload with key under the given algorithm's header. */
static struct buffer seal(struct bytes payload, const struct pki_key *key,
                          enum cose_algorithm algorithm)
{
    BUFFER_AUTO header = {.limit = 64};
    BUFFER_AUTO signed_bytes = {.limit = 65536};
    cose_put_protected(&header, algorithm);
    cose_sign1_to_be_signed(&signed_bytes, buffer_bytes(&header), payload);
    uint8_t signature[96];
    assert_true(pki_sign_es384(key, buffer_bytes(&signed_bytes), signature));
    struct buffer document;
    buffer_init(&document, 65536);
    cose_put_sign1(&document, buffer_bytes(&header), payload, bytes_of(signature, 96));
    assert_false(document.failed);
    return document;
}

static struct buffer document_of(const struct chain *chain, const struct attestation *a,
                                 bool indefinite)
{
    BUFFER_AUTO payload = {.limit = 65536};
    attestation_put(&payload, a, indefinite);
    assert_false(payload.failed);
    return seal(buffer_bytes(&payload), chain->keys[CERTS - 1], COSE_ES384);
}

/* Verifies a chain's document under its root; cause NULL: it must be believed. */
static void assert_verdict(const struct chain *chain, const struct attestation *claims,
                           const char *cause)
{
    BUFFER_AUTO document = document_of(chain, claims, false);
    struct attestation a;
    struct error err = {0};
    bool ok = attestation_verify(&a, buffer_bytes(&document), buffer_bytes(&chain->certs[0]),
                                 NOW_MS, &err);
    if (ok != (cause == NULL) || (cause != NULL && strstr(err.cause, cause) == NULL))
        fail_msg("verdict %d \"%s\", wanted \"%s\"", ok, err.cause, cause == NULL ? "" : cause);
    if (!ok)
        assert_null(a.module_id.at);
}

static void a_fingerprint_stands_for_a_root(void **state)
{
    (void)state;
    struct chain chain;
    chain_init(&chain);
    chain_issue(&chain);
    struct attestation claims = claims_of(&chain), a;
    BUFFER_AUTO document = document_of(&chain, &claims, false);
    uint8_t root[SHA256_SIZE];
    struct error err = {0};
    assert_true(sha256(root, buffer_bytes(&chain.certs[0])));
    assert_true(attestation_verify_by_fingerprint(&a, buffer_bytes(&document), root, NOW_MS, &err));
    assert_true(attestation_verify_by_fingerprint(&a, buffer_bytes(&document), root,
                                                  ATTESTATION_OWN_TIME, &err));
    assert_int_equal(a.timestamp_ms, NOW_MS);
    assert_false(attestation_verify_by_fingerprint(&a, buffer_bytes(&document),
                                                   attestation_aws_root, NOW_MS, &err));
    assert_int_equal(strncmp(err.cause, "root:", 5), 0);
    root[31] ^= 1;
    assert_false(
        attestation_verify_by_fingerprint(&a, buffer_bytes(&document), root, NOW_MS, &err));
    assert_null(a.module_id.at);
    root[31] ^= 1;
    document.at[document.len - 1] ^= 1;
    assert_false(
        attestation_verify_by_fingerprint(&a, buffer_bytes(&document), root, NOW_MS, &err));
    assert_int_equal(err.code, ERROR_SIGNATURE);
    assert_false(attestation_verify_by_fingerprint(&a, bytes_of(document.at, document.len / 2),
                                                   root, NOW_MS, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    chain_clear(&chain);
}

static void own_documents_are_believed_both_ways(void **state)
{
    (void)state;
    struct chain chain;
    chain_init(&chain);
    chain_issue(&chain);
    struct attestation claims = claims_of(&chain);
    for (int indefinite = 0; indefinite <= 1; indefinite++) {
        BUFFER_AUTO document = document_of(&chain, &claims, indefinite != 0);
        struct attestation a;
        struct error err = {0};
        if (!attestation_verify(&a, buffer_bytes(&document), buffer_bytes(&chain.certs[0]), NOW_MS,
                                &err))
            fail_msg("%s", err.cause);
        assert_bytes(a.module_id, "i-0123456789abcdef0-enc0123456789abcdef");
        assert_int_equal(a.timestamp_ms, NOW_MS);
        assert_true(a.pcr_present == 0x1ffff);
        assert_true(bytes_equal(a.pcr[0], bytes_of(ones, PCR_SIZE)));
        assert_true(a.public_key.present);
        assert_bytes(a.public_key.value, "a key");
        assert_false(a.user_data.present);
        assert_true(a.nonce.present);
        assert_int_equal(a.nonce.value.len, 0);
        assert_no_flip_believed(&document, buffer_bytes(&chain.certs[0]), NOW_MS, 53);
        for (size_t len = 0; len < document.len; len += 41)
            assert_false(attestation_verify(&a, bytes_of(document.at, len),
                                            buffer_bytes(&chain.certs[0]), NOW_MS, &err));
    }
    chain_clear(&chain);
}

static void chains_with_a_fault_name_the_step(void **state)
{
    (void)state;
    static const struct {
        size_t cert;
        struct pki_subject change; /* role and times; path_length */
        const char *cause;
    } cases[] = {
        {0,
         {.not_before_s = NOW_S + 1,
          .not_after_s = NOW_S + HOUR,
          .role = PKI_AUTHORITY,
          .path_length = -1},
         "chain: certificate 0 of the chain: certificate is not yet valid"},
        {1,
         {.not_before_s = NOW_S - HOUR,
          .not_after_s = NOW_S - 1,
          .role = PKI_AUTHORITY,
          .path_length = 1},
         "chain: certificate 1 of the chain: certificate has expired"},
        {2,
         {.not_before_s = NOW_S - HOUR, .not_after_s = NOW_S - 1, .role = PKI_AUTHORITY},
         "chain: certificate 2 of the chain: certificate has expired"},
        {3,
         {.not_before_s = NOW_S - HOUR, .not_after_s = NOW_S - 1, .role = PKI_NSM_LEAF},
         "leaf: certificate 3 of the chain: certificate has expired"},
        {1,
         {.not_before_s = NOW_S - HOUR,
          .not_after_s = NOW_S + HOUR,
          .role = PKI_AUTHORITY,
          .path_length = 0},
         "path length constraint exceeded"},
        {1,
         {.not_before_s = NOW_S - HOUR, .not_after_s = NOW_S + HOUR, .role = PKI_TLS_SERVER},
         "certificate 1 of the chain is an issuer, but its basicConstraints do not say so"},
        {2,
         {.not_before_s = NOW_S - HOUR, .not_after_s = NOW_S + HOUR, .role = PKI_TLS_SERVER},
         "certificate 2 of the chain is an issuer, but its basicConstraints do not say so"},
        {3,
         {.not_before_s = NOW_S - HOUR,
          .not_after_s = NOW_S + HOUR,
          .role = PKI_AUTHORITY,
          .path_length = -1},
         "leaf: certificate 3 of the chain is the leaf, but"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct chain chain;
        chain_init(&chain);
        const char *name = chain.subjects[cases[i].cert].common_name;
        chain.subjects[cases[i].cert] = cases[i].change;
        chain.subjects[cases[i].cert].common_name = name;
        chain_issue(&chain);
        struct attestation claims = claims_of(&chain);
        assert_verdict(&chain, &claims, cases[i].cause);
        chain_clear(&chain);
    }
}

static void bundles_out_of_shape_are_refused(void **state)
{
    (void)state;
    struct chain chain, other;
    chain_init(&chain);
    chain_issue(&chain);
    chain_init(&other);
    chain_issue(&other);
    struct attestation claims = claims_of(&chain);
    assert_verdict(&chain, &claims, NULL);

    claims.cabundle[1] = buffer_bytes(&other.certs[1]); /* same names, other keys */
    assert_verdict(&chain, &claims, "chain:");
    claims = claims_of(&chain);
    claims.cabundle[0] = buffer_bytes(&other.certs[0]);
    assert_verdict(&chain, &claims, "root:");
    claims = claims_of(&chain);
    claims.cabundle[1] = buffer_bytes(&chain.certs[2]);
    claims.cabundle[2] = buffer_bytes(&chain.certs[1]);
    assert_verdict(&chain, &claims, "chain: the cabundle is not the path");
    claims = claims_of(&chain);
    claims.cabundle[3] = buffer_bytes(&other.certs[2]);
    claims.cabundle_count = 4;
    assert_verdict(&chain, &claims, "chain: the cabundle is not the path");
    claims = claims_of(&chain);
    claims.cabundle_count = 2; /* the instance is missing */
    assert_verdict(&chain, &claims, "leaf:");
    claims = claims_of(&chain);
    claims.certificate = buffer_bytes(&other.certs[3]);
    assert_verdict(&chain, &claims, "leaf:");
    claims = claims_of(&chain);
    claims.certificate = bytes_text("no certificate");
    assert_verdict(&chain, &claims, "chain: certificate 3 of the chain is not a certificate");
    claims = claims_of(&chain);
    BUFFER_AUTO longer = {.limit = 4096};
    buffer_append(&longer, claims.cabundle[1]);
    buffer_byte(&longer, 0);
    claims.cabundle[1] = buffer_bytes(&longer);
    assert_verdict(&chain, &claims, "certificate 1 of the chain has bytes after its end");
    chain_clear(&chain);
    chain_clear(&other);
}

static void signatures_of_others_are_refused(void **state)
{
    (void)state;
    struct chain chain;
    chain_init(&chain);
    chain_issue(&chain);
    struct attestation claims = claims_of(&chain);
    BUFFER_AUTO payload = {.limit = 65536};
    attestation_put(&payload, &claims, false);
    struct attestation a;
    struct error err;
    BUFFER_AUTO wrong_key = seal(buffer_bytes(&payload), chain.keys[2], COSE_ES384);
    assert_false(attestation_verify(&a, buffer_bytes(&wrong_key), buffer_bytes(&chain.certs[0]),
                                    NOW_MS, &err));
    assert_int_equal(err.code, ERROR_SIGNATURE);
    BUFFER_AUTO wrong_algorithm = seal(buffer_bytes(&payload), chain.keys[3], COSE_ES256);
    assert_false(attestation_verify(&a, buffer_bytes(&wrong_algorithm),
                                    buffer_bytes(&chain.certs[0]), NOW_MS, &err));
    assert_int_equal(err.code, ERROR_FORMAT);
    assert_non_null(strstr(err.cause, "ES384"));
    BUFFER_AUTO tagged = {.limit = 65536};
    BUFFER_AUTO good = seal(buffer_bytes(&payload), chain.keys[3], COSE_ES384);
    buffer_byte(&tagged, 0xd2);
    buffer_append(&tagged, buffer_bytes(&good));
    assert_false(
        attestation_verify(&a, buffer_bytes(&tagged), buffer_bytes(&chain.certs[0]), NOW_MS, &err));
    assert_non_null(strstr(err.cause, "tagged"));
    chain_clear(&chain);
}

/* Writes a payload with one member left out, doubled, or with another value. */
enum change { KEEP, LEAVE_OUT, DOUBLE, REPLACE };

static void put_changed(struct buffer *out, const struct attestation *a, const char *member,
                        enum change change, struct bytes value)
{
    BUFFER_AUTO plain = {.limit = 65536};
    attestation_put(&plain, a, false);
    struct cbor_reader r = cbor_reader(buffer_bytes(&plain));
    struct cbor_items map = cbor_enter(&r, CBOR_MAP);
    cbor_put_map_indefinite(out);
    while (cbor_next(&r, &map)) {
        struct bytes key = cbor_text(&r);
        struct bytes item = cbor_skip(&r);
        bool is_it = bytes_equal_text(key, member);
        if (is_it && change == LEAVE_OUT)
            continue;
        for (int i = 0; i < (is_it && change == DOUBLE ? 2 : 1); i++) {
            cbor_put_text_bytes(out, key);
            buffer_append(out, is_it && change == REPLACE ? value : item);
        }
    }
    cbor_put_break(out);
    assert_true(cbor_reader_done(&r));
    assert_false(out->failed);
}

static const char *const member_names[] = {"module_id",  "digest",      "timestamp",
                                           "pcrs",       "certificate", "cabundle",
                                           "public_key", "user_data",   "nonce"};

static void members_are_required_once(void **state)
{
    (void)state;
    struct chain chain;
    chain_init(&chain);
    chain_issue(&chain);
    struct attestation claims = claims_of(&chain);
    for (size_t i = 0; i < ARRAY_LEN(member_names); i++) {
        struct attestation a;
        struct error err = {0};
        BUFFER_AUTO without = {.limit = 65536};
        put_changed(&without, &claims, member_names[i], LEAVE_OUT, bytes_of(NULL, 0));
        bool optional = i >= 6;
        assert_int_equal(attestation_parse(&a, buffer_bytes(&without), &err), optional);
        if (!optional)
            assert_non_null(strstr(err.cause, member_names[i]));
        BUFFER_AUTO twice = {.limit = 65536};
        put_changed(&twice, &claims, member_names[i], DOUBLE, bytes_of(NULL, 0));
        assert_false(attestation_parse(&a, buffer_bytes(&twice), &err));
        assert_non_null(strstr(err.cause, member_names[i]));
        assert_non_null(strstr(err.cause, "twice"));
    }
    chain_clear(&chain);
}

/* A byte or text string of len letters, with its head. */
static struct buffer string_of(bool text, size_t len)
{
    struct buffer b;
    buffer_init(&b, 4096);
    uint8_t filler[2048];
    memset(filler, 'x', sizeof filler);
    if (text)
        cbor_put_text_bytes(&b, bytes_of(filler, len));
    else
        cbor_put_bytes(&b, bytes_of(filler, len));
    return b;
}

static void members_have_types_and_limits(void **state)
{
    (void)state;
    static const struct {
        const char *member;
        const char *hex; /* NULL: a string of len */
        bool text;
        size_t len;
        bool ok;
    } cases[] = {
        {"module_id", NULL, true, 256, true},
        {"module_id", NULL, true, 257, false},
        {"module_id", NULL, true, 0, false},
        {"module_id", NULL, false, 5, false},
        {"digest", "66534841323536", false, 0, false},
        {"digest", "01", false, 0, false},
        {"digest", "66534841333834", false, 0, true},
        {"timestamp", "00", false, 0, true},
        {"timestamp", "20", false, 0, false},
        {"timestamp", "1bffffffffffffffff", false, 0, false},
        {"timestamp", "fb3ff199999999999a", false, 0, false},
        {"pcrs", "a0", false, 0, false},
        {"pcrs", "80", false, 0, false},
        {"pcrs", "a10040", false, 0, false},
        {"pcrs", "a1182040", false, 0, false},
        {"pcrs", "bbffffffffffffffff", false, 0, false},
        {"certificate", NULL, false, 1024, true},
        {"certificate", NULL, false, 1025, false},
        {"certificate", NULL, false, 0, false},
        {"certificate", NULL, true, 5, false},
        {"cabundle", "80", false, 0, false},
        {"cabundle", "8140", false, 0, false},
        {"cabundle", "814100", false, 0, true},
        {"cabundle", "9f4100ff", false, 0, true},
        {"cabundle", "904100410041004100410041004100410041004100410041004100410041004100", false, 0,
         true},
        {"cabundle", "9141004100410041004100410041004100410041004100410041004100410041004100",
         false, 0, false},
        {"public_key", NULL, false, 1024, true},
        {"public_key", NULL, false, 1025, false},
        {"user_data", NULL, false, 1024, true},
        {"user_data", NULL, false, 1025, false},
        {"nonce", NULL, false, 1024, true},
        {"nonce", NULL, false, 1025, false},
        {"nonce", "f6", false, 0, true},
        {"nonce", "f7", false, 0, false},
        {"nonce", "40", false, 0, true},
        {"nonce", "00", false, 0, false},
        {"user_data", NULL, true, 3, false},
    };
    struct chain chain;
    chain_init(&chain);
    chain_issue(&chain);
    struct attestation claims = claims_of(&chain);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO value = string_of(cases[i].text, cases[i].len);
        if (cases[i].hex != NULL) {
            buffer_reset(&value);
            size_t len = strlen(cases[i].hex) / 2;
            uint8_t *room = buffer_reserve(&value, len);
            assert_true(hex_decode(room, bytes_text(cases[i].hex)));
            buffer_commit(&value, len);
        }
        BUFFER_AUTO payload = {.limit = 65536};
        put_changed(&payload, &claims, cases[i].member, REPLACE, buffer_bytes(&value));
        struct attestation a;
        struct error err = {0};
        bool ok = attestation_parse(&a, buffer_bytes(&payload), &err);
        if (ok != cases[i].ok || (!ok && strstr(err.cause, cases[i].member) == NULL))
            fail_msg("case %zu, %s: %d %s", i, cases[i].member, ok, err.cause);
    }
    chain_clear(&chain);
}

static void pem_goes_both_ways(void **state)
{
    (void)state;
    struct error err;
    struct chain chain;
    chain_init(&chain);
    chain_issue(&chain);
    BUFFER_AUTO pem = {.limit = 65536};
    BUFFER_AUTO der = {.limit = 65536};
    assert_true(pki_der_to_pem(buffer_bytes(&chain.certs[1]), &pem));
    assert_true(pki_pem_to_der(buffer_bytes(&pem), &der, &err));
    assert_true(bytes_equal(buffer_bytes(&der), buffer_bytes(&chain.certs[1])));
    assert_false(pki_der_to_pem(bytes_text("none"), &pem));
    assert_false(pki_pem_to_der(bytes_text("none"), &der, &err));
    assert_int_equal(err.code, ERROR_CERTIFICATE);
    struct buffer key_pem;
    buffer_init_secret(&key_pem, 65536);
    assert_true(pki_key_to_pem(chain.keys[0], &key_pem));
    struct pki_key *again = pki_key_from_pem(buffer_bytes(&key_pem), &err);
    assert_non_null(again);
    pki_key_free(again);
    assert_null(pki_key_from_pem(buffer_bytes(&pem), &err));
    assert_int_equal(err.code, ERROR_CRYPTO);
    assert_null(pki_key_from_pem(bytes_text(""), &err));
    buffer_clear(&key_pem);
    chain_clear(&chain);
}

static void servers_are_named(void **state)
{
    (void)state;
    static const char *const names[] = {"kms.test", "127.0.0.1", "::1", NULL};
    struct chain chain;
    struct error err = {0};
    chain_init(&chain);
    chain_issue(&chain);
    struct pki_subject subject = {.common_name = "server",
                                  .not_before_s = NOW_S,
                                  .not_after_s = NOW_S + HOUR,
                                  .role = PKI_TLS_SERVER,
                                  .host_names = names};
    BUFFER_AUTO der = {.limit = 4096};
    assert_true(pki_issue(&der, &subject, chain.keys[3], buffer_bytes(&chain.certs[0]),
                          chain.keys[0], &err));
    /* GeneralName: [2] IA5String and [7] OCTET STRING (RFC 5280, 4.2.1.6). */
    assert_non_null(memmem(der.at, der.len, "\x82\x08kms.test", 10));
    assert_non_null(memmem(der.at, der.len, "\x87\x04\x7f\0\0\1", 6));
    assert_non_null(memmem(der.at, der.len, "\x87\x10\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1", 18));
    /* What cannot be issued says for whom. */
    assert_false(
        pki_issue(&der, &subject, chain.keys[3], bytes_text("no issuer"), chain.keys[0], &err));
    assert_non_null(strstr(err.cause, "server"));
    chain_clear(&chain);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(documents_of_the_field_are_judged_as_indexed),
        cmocka_unit_test(a_fingerprint_stands_for_a_root),
        cmocka_unit_test(own_documents_are_believed_both_ways),
        cmocka_unit_test(chains_with_a_fault_name_the_step),
        cmocka_unit_test(bundles_out_of_shape_are_refused),
        cmocka_unit_test(signatures_of_others_are_refused),
        cmocka_unit_test(members_are_required_once),
        cmocka_unit_test(members_have_types_and_limits),
        cmocka_unit_test(pem_goes_both_ways),
        cmocka_unit_test(servers_are_named),
    };
    return cmocka_run_group_tests_name("attestation", tests, NULL, NULL);
}
