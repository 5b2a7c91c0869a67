/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, HMAC, AES-256-GCM and RSA-OAEP, against published vectors and against misuse. */
#include "tests/unit/check.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/hex.h"
#include "codec/json.h"
#include "crypto/aead.h"
#include "pki/cms_seal.h"
#include "pki/sha384.h"
#include "tests/unit/recipient_pem.h"

static void assert_hex(const uint8_t *got, size_t len, const char *want)
{
    char text[256];
    assert_true(2 * len < sizeof text);
    hex_encode(text, bytes_of(got, len));
    assert_bytes(bytes_of(text, 2 * len), want);
}

static void starting_twice_is_once(void **state)
{
    (void)state;
    assert_true(crypto_start());
}

static void hashes(void **state)
{
    (void)state;
    uint8_t out[SHA384_SIZE], pair[SHA384_SIZE];
    /* FIPS 180-4 examples */
    assert_true(sha256(out, bytes_text("abc")));
    assert_hex(out, SHA256_SIZE,
               "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_true(sha256(out, bytes_of(NULL, 0)));
    assert_hex(out, SHA256_SIZE,
               "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_true(sha384(out, bytes_text("abc")));
    assert_hex(
        out, SHA384_SIZE,
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358ba"
        "eca134c825a7");
    assert_true(sha384_pair(pair, bytes_text("a"), bytes_text("bc")));
    assert_memory_equal(out, pair, sizeof out);
    /* RFC 4231, test case 2; and an empty key */
    assert_true(hmac_sha256(out, bytes_text("Jefe"), bytes_text("what do ya want for nothing?")));
    assert_hex(out, SHA256_SIZE,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    assert_true(hmac_sha256(out, bytes_of(NULL, 0), bytes_of(NULL, 0)));
    assert_hex(out, SHA256_SIZE,
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void random_differs(void **state)
{
    (void)state;
    uint8_t a[48] = {0}, b[48] = {0}, zero[48] = {0};
    assert_false(random_seed(bytes_text("not much")));
    assert_true(random_seed(bytes_of(zero, sizeof zero)));
    assert_true(random_bytes(a, sizeof a));
    assert_true(random_bytes(b, sizeof b));
    assert_true(random_bytes(b, 0));
    assert_memory_not_equal(a, b, sizeof a);
    assert_memory_not_equal(a, zero, sizeof a);
}

/* OpenSSL's blocks keep their content when they move, and their size is known when they go. */
static void openssl_allocates_through_us(void **state)
{
    (void)state;
    uint8_t *at = OPENSSL_malloc(8);
    assert_non_null(at);
    assert_int_equal((uintptr_t)at % _Alignof(max_align_t), 0);
    memcpy(at, "content", 8);
    at = OPENSSL_realloc(at, 4096);
    assert_string_equal((char *)at, "content");
    at = OPENSSL_realloc(at, 4);
    assert_memory_equal(at, "cont", 4);
    assert_null(OPENSSL_realloc(at, 0));
    at = OPENSSL_realloc(NULL, 16);
    assert_non_null(at);
    OPENSSL_free(at);
    OPENSSL_free(NULL);
    assert_null(OPENSSL_malloc(SIZE_MAX));
}

static void seals_and_opens(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 17, 1024, 65536, 1u << 20};
    static const uint8_t key[AEAD_KEY_SIZE] = {1, 2, 3};
    struct aead *aead = aead_new(key);
    struct aead *reader = aead_new(key);
    assert_non_null(aead);
    assert_non_null(reader);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        size_t size = sizes[i], whole = size + AEAD_OVERHEAD;
        uint8_t *plain = malloc(size + 1), *sealed = malloc(whole), *back = malloc(size + 1);
        assert_true(random_bytes(plain, size));
        assert_true(random_bytes(sealed, AEAD_NONCE_SIZE));
        assert_true(aead_seal(aead, sealed, bytes_of(plain, size)));
        assert_true(aead_open(reader, back, bytes_of(sealed, whole)));
        assert_memory_equal(plain, back, size);
        /* in place, both ways, the same bytes */
        uint8_t *same = malloc(whole);
        memcpy(same, sealed, AEAD_NONCE_SIZE);
        if (size > 0)
            memcpy(same + AEAD_NONCE_SIZE, plain, size);
        assert_true(aead_seal(aead, same, bytes_of(same + AEAD_NONCE_SIZE, size)));
        assert_memory_equal(same, sealed, whole);
        assert_true(aead_open(reader, same + AEAD_NONCE_SIZE, bytes_of(same, whole)));
        assert_memory_equal(same + AEAD_NONCE_SIZE, plain, size);
        free(same);
        free(back);
        free(sealed);
        free(plain);
    }
    aead_free(aead);
    aead_free(reader);
    aead_free(NULL);
}

static void refuses_what_was_changed(void **state)
{
    (void)state;
    static const uint8_t key[AEAD_KEY_SIZE] = {7}, other[AEAD_KEY_SIZE] = {8}, zero[40];
    uint8_t sealed[40 + AEAD_OVERHEAD] = "nonce, once", out[40];
    struct aead *aead = aead_new(key);
    struct aead *stranger = aead_new(other);
    memset(out, 'p', sizeof out);
    assert_true(aead_seal(aead, sealed, bytes_of(out, sizeof out)));
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x40;
        memset(out, 0xff, sizeof out);
        assert_false(aead_open(aead, out, bytes_of(sealed, sizeof sealed)));
        assert_memory_equal(out, zero, sizeof out); /* nothing unauthenticated is left */
        sealed[i] ^= 0x40;
    }
    for (size_t len = 0; len < sizeof sealed; len++)
        assert_false(aead_open(aead, out, bytes_of(sealed, len)));
    assert_false(aead_open(stranger, out, bytes_of(sealed, sizeof sealed)));
    /* a failure leaves the context usable */
    assert_true(aead_open(aead, out, bytes_of(sealed, sizeof sealed)));
    assert_int_equal(out[39], 'p');
    aead_free(aead);
    aead_free(stranger);
}

/* Wycheproof: calls `row` for each test of a file, with its group. */
typedef bool (*vector_row)(const struct json *doc, json_value group, json_value test, bool valid);

static struct buffer hex_member(const struct json *doc, json_value object, const char *name)
{
    struct buffer b;
    buffer_init_secret(&b, 1u << 20);
    assert_true(json_string(doc, json_member(doc, object, name), &b));
    assert_true(hex_decode(b.at, buffer_bytes(&b)));
    b.len /= 2;
    return b;
}

static void for_each_vector(const char *file, vector_row row, unsigned least)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/wycheproof/%s", vectors_folder(), file);
    BUFFER_AUTO text = read_whole_file(path);
    struct json doc;
    struct error err = {0};
    json_init(&doc, JSON_DEPTH);
    assert_true(json_parse(&doc, buffer_bytes(&text), &err));
    unsigned run = 0, skipped = 0;
    json_value groups = json_member(&doc, 0, "testGroups");
    for (json_value g = json_first(&doc, groups); g != JSON_NONE; g = json_next(&doc, groups, g)) {
        json_value tests = json_member(&doc, g, "tests");
        json_value t = json_first(&doc, tests);
        for (; t != JSON_NONE; t = json_next(&doc, tests, t)) {
            bool valid = json_string_is(&doc, json_member(&doc, t, "result"), "valid");
            bool applies = row(&doc, g, t, valid);
            run += applies ? 1 : 0;
            skipped += applies ? 0 : 1;
        }
    }
    json_clear(&doc);
    print_message("%s: %u run, %u skipped (forms not used here)\n", file, run, skipped);
    assert_true(run >= least);
}

static bool gcm_row(const struct json *doc, json_value group, json_value test, bool valid)
{
    int64_t key_bits = 0, iv_bits = 0;
    assert_true(json_int64(doc, json_member(doc, group, "keySize"), &key_bits));
    assert_true(json_int64(doc, json_member(doc, group, "ivSize"), &iv_bits));
    if (key_bits != 256 || iv_bits != 96 || !json_string_is(doc, json_member(doc, test, "aad"), ""))
        return false;
    BUFFER_AUTO key = hex_member(doc, test, "key");
    BUFFER_AUTO iv = hex_member(doc, test, "iv");
    BUFFER_AUTO msg = hex_member(doc, test, "msg");
    BUFFER_AUTO ct = hex_member(doc, test, "ct");
    BUFFER_AUTO tag = hex_member(doc, test, "tag");
    uint8_t sealed[2048], out[2048];
    struct aead *aead = aead_new(key.at);
    assert_true(ct.len + AEAD_OVERHEAD <= sizeof sealed && tag.len == AEAD_TAG_SIZE);
    memcpy(sealed, iv.at, iv.len);
    if (ct.len > 0)
        memcpy(sealed + AEAD_NONCE_SIZE, ct.at, ct.len);
    memcpy(sealed + AEAD_NONCE_SIZE + ct.len, tag.at, tag.len);
    assert_int_equal(aead_open(aead, out, bytes_of(sealed, ct.len + AEAD_OVERHEAD)), valid);
    if (valid) {
        assert_true(bytes_equal(bytes_of(out, ct.len), buffer_bytes(&msg)));
        memcpy(out, iv.at, iv.len);
        assert_true(aead_seal(aead, out, buffer_bytes(&msg)));
        assert_memory_equal(out, sealed, ct.len + AEAD_OVERHEAD);
    }
    aead_free(aead);
    return true;
}

static void wycheproof_gcm(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("wycheproof/aes_gcm");
    for_each_vector("aes_gcm_test.json", gcm_row, 48);
}

static bool hmac_row(const struct json *doc, json_value group, json_value test, bool valid)
{
    (void)group;
    BUFFER_AUTO key = hex_member(doc, test, "key");
    BUFFER_AUTO msg = hex_member(doc, test, "msg");
    BUFFER_AUTO tag = hex_member(doc, test, "tag");
    uint8_t out[SHA256_SIZE];
    assert_true(hmac_sha256(out, buffer_bytes(&key), buffer_bytes(&msg)));
    assert_true(tag.len <= sizeof out);
    assert_int_equal(bytes_equal_secret(bytes_of(out, tag.len), buffer_bytes(&tag)), valid);
    return true;
}

static void wycheproof_hmac(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("wycheproof/hmac_sha256");
    for_each_vector("hmac_sha256_test.json", hmac_row, 174);
}

/* Where these lie in a primitive envelope of one block, as cms_seal writes it. */
enum { WRAPPED_AT = 131, WRAPPED_LEN = 256, IV_AT = 415, BLOCK_AT = 433, BLOCK_LEN = 16 };

/* Puts another wrapped key into the envelope, and "x" encrypted under the key that is in it. */
static void rewrap(struct buffer *envelope, struct bytes wrapped, struct bytes key)
{
    memcpy(envelope->at + WRAPPED_AT, wrapped.at, WRAPPED_LEN);
    if (key.len != 32)
        return;
    int len = 0, rest = 0;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    uint8_t *block = envelope->at + BLOCK_AT;
    assert_int_equal(
        EVP_EncryptInit_ex2(ctx, EVP_aes_256_cbc(), key.at, envelope->at + IV_AT, NULL), 1);
    assert_int_equal(EVP_EncryptUpdate(ctx, block, &len, (const uint8_t *)"x", 1), 1);
    assert_int_equal(EVP_EncryptFinal_ex(ctx, block + len, &rest), 1);
    assert_int_equal(len + rest, BLOCK_LEN);
    EVP_CIPHER_CTX_free(ctx);
}

/*
 * The OAEP ciphertext of a vector stands in for the wrapped key of an envelope. It opens if the
 * vector is valid, without a label, and its message is 32 bytes: an AES-256 key.
 */
static bool oaep_row(const struct json *doc, json_value group, json_value test, bool valid)
{
    bool label = !json_string_is(doc, json_member(doc, test, "label"), "");
    BUFFER_AUTO pem, envelope, out;
    buffer_init_secret(&pem, 8192);
    buffer_init(&envelope, RECIPIENT_ENVELOPE_MAX);
    buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
    assert_true(json_string(doc, json_member(doc, group, "privateKeyPem"), &pem));
    BUFFER_AUTO ct = hex_member(doc, test, "ct");
    BUFFER_AUTO msg = hex_member(doc, test, "msg");
    if (ct.len != WRAPPED_LEN)
        return false;
    struct error err = {0};
    struct recipient *recipient = recipient_from_pem(buffer_bytes(&pem), &err);
    assert_non_null(recipient);
    assert_true(
        cms_seal(&envelope, recipient_spki(recipient), bytes_text("y"), CMS_PRIMITIVE, &err));
    rewrap(&envelope, buffer_bytes(&ct), buffer_bytes(&msg));
    bool opened = recipient_open(recipient, buffer_bytes(&envelope), &out, &err);
    assert_int_equal(opened, valid && !label && msg.len == 32);
    assert_bytes(buffer_bytes(&out), opened ? "x" : "");
    recipient_free(recipient);
    return true;
}

static void wycheproof_oaep(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("wycheproof/rsa_oaep");
    for_each_vector("rsa_oaep_2048_sha256_mgf1sha256_test.json", oaep_row, 32);
}

static int set_up(void **state)
{
    (void)state;
    return crypto_start() ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starting_twice_is_once), cmocka_unit_test(hashes),
        cmocka_unit_test(random_differs),         cmocka_unit_test(openssl_allocates_through_us),
        cmocka_unit_test(seals_and_opens),        cmocka_unit_test(refuses_what_was_changed),
        cmocka_unit_test(wycheproof_gcm),         cmocka_unit_test(wycheproof_hmac),
        cmocka_unit_test(wycheproof_oaep),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
