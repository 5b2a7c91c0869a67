/* SPDX-License-Identifier: Apache-2.0 */
/* COSE_Sign1 and raw ECDSA signatures, against vectors and against own messages. */
#include "tests/unit/vectors.h"

#include "codec/cbor.h"
#include "formats/cose.h"
#include "pki/ecdsa.h"
#include "pki/pki.h"

/* SubjectPublicKeyInfo up to the coordinates (RFC 5480; the point is uncompressed). */
static const struct curve {
    int64_t algorithm;
    const char *prefix;
} curves[] = {
    {COSE_ES256, "3059301306072a8648ce3d020106082a8648ce3d03010703420004"},
    {COSE_ES384, "3076301006072a8648ce3d020106052b8104002203620004"},
    {COSE_ES512, "30819b301006072a8648ce3d020106052b810400230381860004"},
};

static void put_hex(struct buffer *out, struct bytes hex)
{
    uint8_t *room = buffer_reserve(out, hex.len / 2);
    assert_non_null(room);
    assert_true(hex_decode(room, hex));
    buffer_commit(out, hex.len / 2);
}

/* The public key called name in cose/keys.json: an array of x, y and the private number. */
static struct buffer public_key(const char *name, size_t curve)
{
    BUFFER_AUTO text = {0};
    struct json doc = vector_json("cose/keys.json", &text);
    struct buffer spki;
    buffer_init(&spki, 512);
    put_hex(&spki, bytes_text(curves[curve].prefix));
    json_value array = json_member(&doc, 0, name);
    assert_true(array != JSON_NONE);
    json_value x = json_first(&doc, array);
    BUFFER_AUTO x_bytes = vector_hex(&doc, x);
    BUFFER_AUTO y_bytes = vector_hex(&doc, json_next(&doc, array, x));
    buffer_append(&spki, buffer_bytes(&x_bytes));
    buffer_append(&spki, buffer_bytes(&y_bytes));
    json_clear(&doc);
    return spki;
}

static bool verifies(const struct cose_sign1 *cose, struct bytes spki)
{
    BUFFER_AUTO signed_bytes = {.limit = 4096};
    cose_sign1_to_be_signed(&signed_bytes, cose->protected_header, cose->payload);
    assert_false(signed_bytes.failed);
    return ecdsa_verify_raw(cose->algorithm, spki, buffer_bytes(&signed_bytes), cose->signature);
}

static void vectors_verify_as_named(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("COSE_Sign1");
    static const struct {
        const char *file;
        const char *key;
        size_t curve;
        bool parses_tagged, parses_untagged, valid;
    } cases[] = {
        {"cose_sign1_ec256_validate_0", "get_ec256_test_key", 0, true, false, true},
        {"cose_sign1_ec384_validate_0", "get_ec384_test_key", 1, false, true, true},
        {"cose_sign1_ec512_validate_0", "get_ec512_test_key", 2, false, true, true},
        {"cose_sign1_ec256_invalid_tag_0", "get_ec256_test_key", 0, false, false, false},
        {"cose_sign1_ec256_missing_tag_0", "get_ec256_test_key", 0, false, true, true},
        {"cose_sign1_ec256_tampered_content_0", "get_ec256_test_key", 0, false, true, false},
        {"cose_sign1_ec256_tampered_signature_0", "get_ec256_test_key", 0, false, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char name[128];
        snprintf(name, sizeof name, "cose/%s.cbor", cases[i].file);
        BUFFER_AUTO file = vector_file(name);
        struct bytes input = buffer_bytes(&file);
        struct cose_sign1 cose;
        struct error err;
        assert_int_equal(cose_sign1_parse(&cose, input, COSE_TAGGED, &err), cases[i].parses_tagged);
        assert_int_equal(cose_sign1_parse(&cose, input, COSE_UNTAGGED, &err),
                         cases[i].parses_untagged);
        bool parses = cose_sign1_parse(&cose, input, COSE_TAG_OPTIONAL, &err);
        assert_int_equal(parses, cases[i].parses_tagged || cases[i].parses_untagged);
        if (!parses)
            continue;
        BUFFER_AUTO spki = public_key(cases[i].key, cases[i].curve);
        assert_int_equal(cose.algorithm, curves[cases[i].curve].algorithm);
        assert_int_equal(verifies(&cose, buffer_bytes(&spki)), cases[i].valid);
        /* Another curve's key never verifies it. */
        BUFFER_AUTO other =
            public_key(cases[i].curve == 1 ? "get_ec256_test_key" : "get_ec384_test_key",
                       cases[i].curve == 1 ? 0 : 1);
        assert_false(verifies(&cose, buffer_bytes(&other)));
    }
}

static void what_is_signed_is_as_in_the_vectors(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("COSE Sig_structure");
    BUFFER_AUTO message = vector_file("cose/cose_sign1_ec256_missing_tag_0.cbor");
    struct cose_sign1 cose;
    struct error err;
    assert_true(cose_sign1_parse(&cose, buffer_bytes(&message), COSE_UNTAGGED, &err));
    static const struct {
        const char *file;
        bool has_header;
    } cases[] = {{"cose/sig_structure_text_0.cbor", false},
                 {"cose/sig_structure_text_1.cbor", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO want = vector_file(cases[i].file);
        BUFFER_AUTO got = {.limit = 4096};
        struct bytes header = cases[i].has_header ? cose.protected_header : bytes_of(NULL, 0);
        cose_sign1_to_be_signed(&got, header, cose.payload);
        assert_true(bytes_equal(buffer_bytes(&got), buffer_bytes(&want)));
    }
}

static void wycheproof_signatures(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("Wycheproof ECDSA P-384");
    BUFFER_AUTO text = {0};
    struct json doc = vector_json("wycheproof/ecdsa_secp384r1_sha384_p1363_test.json", &text);
    json_value groups = json_member(&doc, 0, "testGroups");
    size_t count = 0;
    for (json_value g = json_first(&doc, groups); g != JSON_NONE; g = json_next(&doc, groups, g)) {
        BUFFER_AUTO spki = vector_hex(&doc, json_member(&doc, g, "publicKeyDer"));
        json_value tests = json_member(&doc, g, "tests");
        for (json_value t = json_first(&doc, tests); t != JSON_NONE;
             t = json_next(&doc, tests, t)) {
            BUFFER_AUTO message = vector_hex(&doc, json_member(&doc, t, "msg"));
            BUFFER_AUTO signature = vector_hex(&doc, json_member(&doc, t, "sig"));
            bool want = json_string_is(&doc, json_member(&doc, t, "result"), "valid");
            bool got = ecdsa_verify_raw(COSE_ES384, buffer_bytes(&spki), buffer_bytes(&message),
                                        buffer_bytes(&signature));
            if (got != want) {
                struct bytes id = json_raw(&doc, json_member(&doc, t, "tcId"));
                fail_msg("case %.*s: %d", (int)id.len, (const char *)id.at, got);
            }
            count++;
        }
    }
    json_clear(&doc);
    assert_true(count > 200);
}

/* A key of our own, and its SubjectPublicKeyInfo out of a certificate: the bytes of a P-384 one. */
static struct buffer spki_of(const struct pki_key *key)
{
    BUFFER_AUTO der = {.limit = 4096};
    struct pki_subject subject = {
        .common_name = "test", .not_after_s = 4102444800, .role = PKI_AUTHORITY, .path_length = -1};
    struct error err;
    assert_true(pki_issue(&der, &subject, key, bytes_of(NULL, 0), key, &err));
    uint8_t prefix[24];
    assert_true(hex_decode(prefix, bytes_text(curves[1].prefix)));
    const uint8_t *at = memmem(der.at, der.len, prefix, sizeof prefix);
    assert_non_null(at);
    struct buffer spki;
    buffer_init(&spki, 512);
    buffer_append(&spki, bytes_of(at, 120));
    return spki;
}

static void own_signatures_verify_and_no_bit_may_change(void **state)
{
    (void)state;
    struct error err;
    struct pki_key *key = pki_key_new(&err);
    assert_non_null(key);
    BUFFER_AUTO spki = spki_of(key);
    BUFFER_AUTO header = {.limit = 64};
    cose_put_protected(&header, COSE_ES384);
    BUFFER_AUTO signed_bytes = {.limit = 4096};
    cose_sign1_to_be_signed(&signed_bytes, buffer_bytes(&header), bytes_text("payload"));
    uint8_t signature[ES384_SIZE];
    assert_true(pki_sign_es384(key, buffer_bytes(&signed_bytes), signature));
    BUFFER_AUTO message = {.limit = 4096};
    cose_put_sign1(&message, buffer_bytes(&header), bytes_text("payload"),
                   bytes_of(signature, sizeof signature));
    struct cose_sign1 cose;
    assert_true(cose_sign1_parse(&cose, buffer_bytes(&message), COSE_UNTAGGED, &err));
    assert_bytes(cose.payload, "payload");
    assert_true(verifies(&cose, buffer_bytes(&spki)));
    /* Every byte of the message belongs to its shape or is signed. */
    for (size_t i = 0; i < message.len; i++) {
        message.at[i] ^= 1;
        bool believed = cose_sign1_parse(&cose, buffer_bytes(&message), COSE_UNTAGGED, &err) &&
                        verifies(&cose, buffer_bytes(&spki));
        assert_false(believed);
        message.at[i] ^= 1;
    }
    for (size_t len = 0; len < message.len; len++)
        assert_false(cose_sign1_parse(&cose, bytes_of(message.at, len), COSE_TAG_OPTIONAL, &err));
    pki_key_free(key);
}

static void wrong_shapes_name_the_part(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *part;
    } cases[] = {
        {"a0", "not an array"},
        {"80", "array of four"},
        {"8343a10126a040", "array of four"},
        {"8543a10126a0404000", "array of four"},
        {"84f6a04040", "protected header"},
        {"8443a10126404040", "unprotected header"},
        {"8443a10126a0f640", "payload"},
        {"8443a10126a060f6", "payload"},
        {"8443a10126a04060", "signature"},
        {"8440a04040", "protected header"},
        {"8441a0a04040", "no algorithm"},
        {"8444a1016126a04040", "protected header"},
        {"8445a201260126a04040", "twice"},
        {"8446a2012602810ba04040", "critical"},
        {"8443a10126a0404000", "follows"},
        {"d18443a10126a04040", "another tag"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = {.limit = 64};
        put_hex(&in, bytes_text(cases[i].hex));
        struct cose_sign1 cose;
        struct error err = {0};
        assert_false(cose_sign1_parse(&cose, buffer_bytes(&in), COSE_TAG_OPTIONAL, &err));
        assert_int_equal(err.code, ERROR_FORMAT);
        if (strstr(err.cause, cases[i].part) == NULL)
            fail_msg("%s: %s", cases[i].hex, err.cause);
    }
}

static void tags_and_other_headers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        bool untagged, tagged;
    } cases[] = {
        {"8443a10126a04040", true, false},
        {"d28443a10126a04040", false, true},
        {"9f43a10126a04040ff", true, false},
        {"8448a301260300616101a10442313140"
         "40",
         true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = {.limit = 64};
        put_hex(&in, bytes_text(cases[i].hex));
        struct cose_sign1 cose;
        struct error err = {0};
        assert_int_equal(cose_sign1_parse(&cose, buffer_bytes(&in), COSE_UNTAGGED, &err),
                         cases[i].untagged);
        assert_int_equal(cose_sign1_parse(&cose, buffer_bytes(&in), COSE_TAGGED, &err),
                         cases[i].tagged);
        if (!cose_sign1_parse(&cose, buffer_bytes(&in), COSE_TAG_OPTIONAL, &err))
            fail_msg("%s: %s", cases[i].hex, err.cause);
        assert_int_equal(cose.algorithm, COSE_ES256);
    }
}

static void keys_that_are_none_verify_nothing(void **state)
{
    (void)state;
    uint8_t signature[ECDSA_RAW_SIZE] = {0};
    struct bytes raw = bytes_of(signature, ES384_SIZE);
    assert_false(ecdsa_verify_raw(COSE_ES384, bytes_of(NULL, 0), bytes_text("m"), raw));
    assert_false(ecdsa_verify_raw(COSE_ES384, bytes_text("no key"), bytes_text("m"), raw));
    assert_false(ecdsa_verify_raw(-37, bytes_text("no key"), bytes_text("m"), raw));
    struct error err;
    struct pki_key *key = pki_key_new(&err);
    BUFFER_AUTO spki = spki_of(key);
    uint8_t good[ES384_SIZE];
    assert_true(pki_sign_es384(key, bytes_text("m"), good));
    raw = bytes_of(good, sizeof good);
    assert_true(ecdsa_verify_raw(COSE_ES384, buffer_bytes(&spki), bytes_text("m"), raw));
    assert_false(ecdsa_verify_raw(COSE_ES384, buffer_bytes(&spki), bytes_text("n"), raw));
    assert_false(ecdsa_verify_raw(COSE_ES256, buffer_bytes(&spki), bytes_text("m"), raw));
    buffer_byte(&spki, 0);
    assert_false(ecdsa_verify_raw(COSE_ES384, buffer_bytes(&spki), bytes_text("m"), raw));
    pki_key_free(key);
}

static void der_and_raw_are_the_same_signature(void **state)
{
    (void)state;
    struct error err;
    struct pki_key *key = pki_key_new(&err);
    assert_non_null(key);
    BUFFER_AUTO spki = spki_of(key);
    BUFFER_AUTO direct = {.limit = 512};
    assert_true(pki_key_spki(key, &direct));
    assert_true(bytes_equal(buffer_bytes(&direct), buffer_bytes(&spki)));
    assert_int_equal(ecdsa_algorithm_of(buffer_bytes(&spki)), COSE_ES384);
    BUFFER_AUTO digest = {.limit = ECDSA_DIGEST_MAX};
    assert_true(ecdsa_digest(COSE_ES384, bytes_text("m"), &digest));
    assert_int_equal(digest.len, 48);
    for (int i = 0; i < 600; i++) { /* r or s begins with a zero byte in some of them */
        BUFFER_AUTO der = {.limit = ECDSA_DER_MAX};
        BUFFER_AUTO raw = {.limit = ECDSA_RAW_SIZE};
        BUFFER_AUTO again = {.limit = ECDSA_RAW_SIZE};
        assert_true(pki_sign_digest(key, buffer_bytes(&digest), &der));
        assert_true(ecdsa_to_raw(COSE_ES384, buffer_bytes(&der), &raw, &err));
        assert_int_equal(raw.len, ES384_SIZE);
        assert_true(ecdsa_to_raw(COSE_ES384, buffer_bytes(&raw), &again, &err));
        assert_true(bytes_equal(buffer_bytes(&raw), buffer_bytes(&again)));
        assert_true(
            ecdsa_verify_raw(COSE_ES384, buffer_bytes(&spki), bytes_text("m"), buffer_bytes(&raw)));
    }
    pki_key_free(key);
}

/* Two numbers below 2^384, and nothing after them. */
static void what_is_no_signature_does_not_become_one(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        "30",
        "3000",
        "3003020101",
        "300602010102010100",
        "30060201010201",
        "310602010102010101",
        "3006020101020181",
        "300602018102010101",
        "30070202000102010101",
        "3080020101020101",
        "0000",
        "3006040101040101",
        "30060201ff020101",
        /* r is 2^384 */
        "3036023101"
        "000000000000000000000000000000000000000000000000"
        "000000000000000000000000000000000000000000000000"
        "020101",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = {.limit = 128};
        BUFFER_AUTO raw = {.limit = ECDSA_RAW_SIZE};
        struct error err = {0};
        put_hex(&in, bytes_text(cases[i]));
        if (ecdsa_to_raw(COSE_ES384, buffer_bytes(&in), &raw, &err))
            fail_msg("%s is taken", cases[i]);
        assert_int_equal(err.code, ERROR_SIGNATURE);
        assert_int_equal(raw.len, 0);
    }
    struct error err = {0};
    BUFFER_AUTO raw = {.limit = ECDSA_RAW_SIZE};
    assert_false(ecdsa_to_raw(-37, bytes_text("x"), &raw, &err));
    assert_int_equal(ecdsa_algorithm_of(bytes_text("no key")), 0);
    assert_int_equal(ecdsa_algorithm_of(bytes_of(NULL, 0)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_verify_as_named),
        cmocka_unit_test(what_is_signed_is_as_in_the_vectors),
        cmocka_unit_test(wycheproof_signatures),
        cmocka_unit_test(own_signatures_verify_and_no_bit_may_change),
        cmocka_unit_test(wrong_shapes_name_the_part),
        cmocka_unit_test(tags_and_other_headers),
        cmocka_unit_test(keys_that_are_none_verify_nothing),
        cmocka_unit_test(der_and_raw_are_the_same_signature),
        cmocka_unit_test(what_is_no_signature_does_not_become_one),
    };
    return cmocka_run_group_tests_name("cose", tests, NULL, NULL);
}
