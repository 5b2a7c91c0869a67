/* SPDX-License-Identifier: Apache-2.0 */
/* KMS's envelopes: others' samples, our own, openssl's, and damaged ones. */
#include "tests/unit/check.h"

#include <unistd.h>

#include "codec/cms.h"
#include "crypto/hash.h"
#include "pki/cms_seal.h"
#include "tests/unit/recipient_pem.h"

static struct recipient *key, *other_key;
static char folder[] = "/tmp/test_cms.XXXXXX";

static struct buffer read_vector(const char *name)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/cms/%s", vectors_folder(), name);
    return read_whole_file(path);
}

static bool opens(const struct recipient *with, struct bytes envelope, struct buffer *out,
                  struct error *err)
{
    bool ok = recipient_open(with, envelope, out, err);
    if (!ok) {
        assert_int_equal(out->len, 0);
        assert_int_equal(err->code, ERROR_ENVELOPE);
    }
    return ok;
}

/* The test data of the AWS SDK for Nitro Enclaves (Go): KMS's answer, its key, the plaintext. */
static void opens_a_real_envelope(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("cms/edgebit");
    BUFFER_AUTO pem = read_vector("edgebit_key.pem");
    BUFFER_AUTO envelope = read_vector("edgebit_cms.ber");
    BUFFER_AUTO want = read_vector("edgebit_plaintext.bin");
    BUFFER_AUTO out;
    buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
    struct error err = {0};
    struct recipient *theirs = recipient_from_pem(buffer_bytes(&pem), &err);
    assert_non_null(theirs);
    assert_true(opens(theirs, buffer_bytes(&envelope), &out, &err));
    assert_true(bytes_equal(buffer_bytes(&out), buffer_bytes(&want)));
    assert_false(opens(key, buffer_bytes(&envelope), &out, &err));
    recipient_free(theirs);
}

static void reads_answers_of_kms(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("cms/sdkc");
    static const char *const forms[] = {"", "_w_ctx"};
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        static const char *const files[] = {"input_ber", "encrypted_key_out", "iv_out",
                                            "ciphertext_out"};
        struct buffer file[4];
        for (size_t k = 0; k < ARRAY_LEN(files); k++) {
            char name[64];
            snprintf(name, sizeof name, "sdkc_%s%s.bin", files[k], forms[i]);
            file[k] = read_vector(name);
            assert_non_null(file[k].at);
        }
        BUFFER_AUTO content;
        buffer_init(&content, 4096);
        struct cms_envelope envelope;
        struct error err = {0};
        assert_true(cms_parse(&envelope, &content, buffer_bytes(&file[0]), &err));
        assert_true(bytes_equal(envelope.wrapped_key, buffer_bytes(&file[1])));
        assert_true(bytes_equal(envelope.iv, buffer_bytes(&file[2])));
        assert_true(bytes_equal(buffer_bytes(&content), buffer_bytes(&file[3])));
        for (size_t k = 0; k < ARRAY_LEN(files); k++)
            buffer_clear(&file[k]);
    }
}

static void round_trips(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 15, 16, 31, 32, 999, 1000, 1001, 2000, 4095, 4096};
    static uint8_t plaintext[RECIPIENT_SECRET_MAX];
    assert_true(random_bytes(plaintext, sizeof plaintext));
    for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
        BUFFER_AUTO envelope;
        BUFFER_AUTO out;
        buffer_init(&envelope, RECIPIENT_ENVELOPE_MAX);
        buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
        struct error err = {0};
        struct bytes want = bytes_of(plaintext, sizes[i / 2]);
        enum cms_content form = i % 2 == 0 ? CMS_CONSTRUCTED : CMS_PRIMITIVE;
        assert_true(cms_seal(&envelope, recipient_spki(key), want, form, &err));
        assert_true(opens(key, buffer_bytes(&envelope), &out, &err));
        assert_true(bytes_equal(buffer_bytes(&out), want));
        assert_false(opens(other_key, buffer_bytes(&envelope), &out, &err));
    }
}

/* The layout of KMS, byte for byte where it does not depend on the key. */
static void seals_as_kms_does(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("cms/sdkc");
    static const struct {
        const char *file;
        enum cms_content form;
        size_t plaintext;
    } rows[] = {{"sdkc_input_ber.bin", CMS_CONSTRUCTED, 32},
                {"sdkc_input_ber_w_ctx.bin", CMS_PRIMITIVE, 10}};
    static const struct {
        size_t from, to;
    } random[] = {{33, 65}, {131, 387}, {415, 431}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        static const uint8_t plaintext[32];
        BUFFER_AUTO want = read_vector(rows[i].file);
        BUFFER_AUTO got;
        buffer_init(&got, 6144);
        struct error err = {0};
        struct bytes in = bytes_of(plaintext, rows[i].plaintext);
        assert_true(cms_seal(&got, recipient_spki(key), in, rows[i].form, &err));
        assert_int_equal(got.len, want.len);
        for (size_t k = 0; k < ARRAY_LEN(random); k++) {
            memset(got.at + random[k].from, 0, random[k].to - random[k].from);
            memset(want.at + random[k].from, 0, random[k].to - random[k].from);
        }
        size_t content = rows[i].form == CMS_CONSTRUCTED ? 435 : 433;
        size_t length = rows[i].form == CMS_CONSTRUCTED ? 48 : 16;
        memset(got.at + content, 0, length);
        memset(want.at + content, 0, length);
        assert_memory_equal(got.at, want.at, want.len);
    }
}

static void seals_only_to_rsa_2048(void **state)
{
    (void)state;
    BUFFER_AUTO out;
    buffer_init(&out, 6144);
    struct error err = {0};
    struct bytes spki = recipient_spki(key);
    static const uint8_t plaintext[RECIPIENT_SECRET_MAX + 1];
    assert_false(
        cms_seal(&out, bytes_of(spki.at, spki.len - 1), bytes_of("x", 1), CMS_PRIMITIVE, &err));
    assert_int_equal(err.code, ERROR_CRYPTO);
    assert_false(cms_seal(&out, bytes_text("no key"), bytes_of("x", 1), CMS_PRIMITIVE, &err));
    assert_false(cms_seal(&out, spki, bytes_of(plaintext, sizeof plaintext), CMS_PRIMITIVE, &err));
}

/* Every truncation fails; every flipped bit fails or leaves a plaintext of at most that length. */
static void survives_damage(void **state)
{
    (void)state;
    static const uint8_t plaintext[32] = "a key of thirty-two bytes, wiped";
    for (size_t form = 0; form < 2; form++) {
        BUFFER_AUTO envelope;
        BUFFER_AUTO out;
        buffer_init(&envelope, 6144);
        buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
        struct error err = {0};
        struct bytes in = bytes_of(plaintext, sizeof plaintext);
        assert_true(cms_seal(&envelope, recipient_spki(key), in, (enum cms_content)form, &err));
        for (size_t len = 0; len < envelope.len; len++)
            assert_false(opens(key, bytes_of(envelope.at, len), &out, &err));
        for (size_t i = 0; i < envelope.len; i++) {
            uint8_t kept = envelope.at[i];
            for (unsigned flip = 1; flip < 256; flip <<= i < 140 ? 1 : 7) {
                envelope.at[i] = (uint8_t)(kept ^ flip);
                if (opens(key, buffer_bytes(&envelope), &out, &err))
                    assert_true(out.len <= 48);
            }
            envelope.at[i] = kept;
        }
        buffer_byte(&envelope, 0);
        assert_false(opens(key, buffer_bytes(&envelope), &out, &err));
        assert_non_null(strstr(err.cause, "follow"));
    }
}

/* Decryption failures of every kind read alike: no oracle. */
static void failures_read_alike(void **state)
{
    (void)state;
    BUFFER_AUTO envelope;
    BUFFER_AUTO out;
    buffer_init(&envelope, 6144);
    buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
    struct error first = {0}, err = {0};
    assert_true(
        cms_seal(&envelope, recipient_spki(key), bytes_of("secret", 6), CMS_PRIMITIVE, &err));
    assert_false(opens(other_key, buffer_bytes(&envelope), &out, &first));
    /* the wrapped key; then only the content, whose padding no longer fits (most likely) */
    static const size_t places[] = {200, 440};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            envelope.at[places[i]] ^= (uint8_t)flip;
            bool opened = opens(key, buffer_bytes(&envelope), &out, &err);
            envelope.at[places[i]] ^= (uint8_t)flip;
            if (!opened)
                assert_string_equal(err.cause, first.cause);
            else
                assert_int_equal(i, 1);
        }
    }
}

static void refuses_padding(void **state)
{
    (void)state;
    /* With one block, flipping the IV flips the plaintext: every last byte, so every padding. */
    BUFFER_AUTO envelope;
    BUFFER_AUTO out;
    buffer_init(&envelope, 6144);
    buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
    struct error err = {0};
    static const uint8_t plaintext[10];
    assert_true(cms_seal(&envelope, recipient_spki(key), bytes_of(plaintext, sizeof plaintext),
                         CMS_PRIMITIVE, &err));
    unsigned opened = 0;
    for (unsigned flip = 0; flip < 256; flip++) {
        envelope.at[430] ^= (uint8_t)flip; /* padding is 06 x 6: only 6 itself and 1 fit */
        if (opens(key, buffer_bytes(&envelope), &out, &err)) {
            opened++;
            assert_int_equal(out.len, (flip ^ 6) == 1 ? 15 : 10);
            assert_true((flip ^ 6) == 1 || (flip ^ 6) == 6);
        }
        envelope.at[430] ^= (uint8_t)flip;
    }
    assert_int_equal(opened, 2);
}

/* Runs a command in the folder; its output is dropped. */
static bool run(const char *command)
{
    char line[2048];
    snprintf(line, sizeof line, "cd %s && { %s; } >/dev/null 2>&1 </dev/null", folder, command);
    return system(line) == 0; /* NOLINT(cert-env33-c): a test's fixed commands */
}

static struct buffer made_file(const char *name)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return read_whole_file(path);
}

static void write_file(const char *name, struct bytes content)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content.at, 1, content.len, file), content.len);
    fclose(file);
}

static void needs_openssl(void)
{
    if (!run("openssl version && test -s key.pem")) {
        print_message("skipped without the openssl command\n");
        skip();
    }
}

#define ENCRYPT "openssl cms -encrypt -binary -in secret -outform DER -out cms "
#define OAEP                                                                     \
    " -recip cert.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 " \
    "-keyopt rsa_mgf1_md:sha256 "

static void judges_envelopes_of_openssl(void **state)
{
    (void)state;
    needs_openssl();
    static const struct {
        const char *command;
        const char *cause; /* NULL: opens */
    } rows[] = {
        {ENCRYPT "-aes256 -keyid" OAEP, NULL},
        {ENCRYPT "-aes256" OAEP, NULL},
        {ENCRYPT "-aes256 -keyid -stream" OAEP, NULL},
        {ENCRYPT "-aes128 -keyid" OAEP, "AES-256-CBC"},
        {ENCRYPT "-aes-256-gcm -keyid" OAEP, "EnvelopedData"},
        {ENCRYPT "-des3 -keyid" OAEP, "AES-256-CBC"},
        {ENCRYPT "-aes256 -keyid -recip cert.pem", "RSAES-OAEP"},
        {ENCRYPT "-aes256 -recip cert.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha1",
         "OAEP hash"},
        {ENCRYPT "-aes256 -recip cert.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256 "
                 "-keyopt rsa_mgf1_md:sha1",
         "MGF1"},
        {ENCRYPT "-aes256 -keyid" OAEP "-keyopt rsa_oaep_label:6b6d73", "label"},
        {ENCRYPT "-aes256 -keyid" OAEP OAEP, "more than one"},
        {ENCRYPT "-aes256 -pwri_password x", "version"},
        {ENCRYPT "-aes256 -recip ec.pem", "KeyTransRecipientInfo"},
        {"openssl cms -data_create -in secret -outform DER -out cms", "EnvelopedData"},
        {"openssl cms -sign -signer cert.pem -inkey key.pem -in secret -outform DER -out cms",
         "EnvelopedData"},
    };
    BUFFER_AUTO pem = made_file("key.pem");
    struct error err = {0};
    struct recipient *recipient = recipient_from_pem(buffer_bytes(&pem), &err);
    assert_non_null(recipient);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO out;
        buffer_init_secret(&out, RECIPIENT_SECRET_MAX);
        run("rm -f cms");
        if (!run(rows[i].command))
            fail_msg("openssl refused: %s", rows[i].command);
        BUFFER_AUTO envelope = made_file("cms");
        bool ok = opens(recipient, buffer_bytes(&envelope), &out, &err);
        if (ok != (rows[i].cause == NULL))
            fail_msg("%s: %s", rows[i].command, ok ? "opened" : err.cause);
        if (ok)
            assert_bytes(buffer_bytes(&out), "the secret of openssl");
        else if (rows[i].cause != NULL && strstr(err.cause, rows[i].cause) == NULL)
            fail_msg("%s: \"%s\" does not name %s", rows[i].command, err.cause, rows[i].cause);
    }
    recipient_free(recipient);
}

static void openssl_opens_ours(void **state)
{
    (void)state;
    needs_openssl();
    static const size_t sizes[] = {0, 1, 32, 1000, 4096};
    static uint8_t plaintext[4096];
    assert_true(random_bytes(plaintext, sizeof plaintext));
    BUFFER_AUTO pem = made_file("key.pem");
    struct error err = {0};
    struct recipient *recipient = recipient_from_pem(buffer_bytes(&pem), &err);
    assert_non_null(recipient);
    for (size_t i = 0; i < 2 * ARRAY_LEN(sizes); i++) {
        BUFFER_AUTO envelope;
        buffer_init(&envelope, 6144);
        struct bytes in = bytes_of(plaintext, sizes[i / 2]);
        assert_true(
            cms_seal(&envelope, recipient_spki(recipient), in, (enum cms_content)(i % 2), &err));
        write_file("ours", buffer_bytes(&envelope));
        assert_true(run("openssl cms -decrypt -binary -inform DER -in ours -inkey key.pem -out "
                        "opened"));
        BUFFER_AUTO opened = made_file("opened");
        assert_true(bytes_equal(buffer_bytes(&opened), in));
    }
    recipient_free(recipient);
}

static void keys(void **state)
{
    (void)state;
    struct bytes spki = recipient_spki(key);
    assert_int_equal(spki.len, RECIPIENT_SPKI_SIZE);
    assert_memory_equal(spki.at, "\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48", 11);
    assert_false(bytes_equal(spki, recipient_spki(other_key)));
    struct error err = {0};
    assert_null(recipient_from_pem(bytes_text("no PEM"), &err));
    assert_int_equal(err.code, ERROR_CRYPTO);
    assert_null(recipient_from_pem(bytes_of(NULL, 0), &err));
    recipient_free(NULL);
    needs_openssl();
    /* another size, another kind, one under a passphrase */
    static const char *const files[] = {"rsa3072.pem", "ec.key", "locked.pem"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        BUFFER_AUTO pem = made_file(files[i]);
        assert_non_null(pem.at);
        assert_null(recipient_from_pem(buffer_bytes(&pem), &err));
    }
}

static void limits(void **state)
{
    (void)state;
    static uint8_t long_one[RECIPIENT_ENVELOPE_MAX + 1];
    BUFFER_AUTO envelope;
    BUFFER_AUTO small;
    buffer_init(&envelope, 6144);
    buffer_init_secret(&small, 32);
    struct error err = {0};
    assert_false(opens(key, bytes_of(long_one, sizeof long_one), &small, &err));
    /* out takes exactly what it is made for */
    assert_true(
        cms_seal(&envelope, recipient_spki(key), bytes_of(long_one, 32), CMS_CONSTRUCTED, &err));
    assert_true(opens(key, buffer_bytes(&envelope), &small, &err));
    buffer_reset(&envelope);
    assert_true(
        cms_seal(&envelope, recipient_spki(key), bytes_of(long_one, 33), CMS_CONSTRUCTED, &err));
    assert_false(opens(key, buffer_bytes(&envelope), &small, &err));
}

static int set_up(void **state)
{
    (void)state;
    struct error err = {0};
    if (!crypto_start() || mkdtemp(folder) == NULL)
        return -1;
    key = recipient_new(&err);
    other_key = recipient_new(&err);
    run("printf 'the secret of openssl' >secret; "
        "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -subj /CN=test -out cert.pem; "
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ec.key "
        "-subj /CN=ec -out ec.pem; "
        "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072 -out rsa3072.pem; "
        "openssl pkey -in key.pem -aes256 -passout pass:x -out locked.pem");
    return key == NULL || other_key == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    run("rm -rf \"$PWD\"");
    recipient_free(key);
    recipient_free(other_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(opens_a_real_envelope),
        cmocka_unit_test(reads_answers_of_kms),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(seals_as_kms_does),
        cmocka_unit_test(seals_only_to_rsa_2048),
        cmocka_unit_test(survives_damage),
        cmocka_unit_test(failures_read_alike),
        cmocka_unit_test(refuses_padding),
        cmocka_unit_test(limits),
        cmocka_unit_test(judges_envelopes_of_openssl),
        cmocka_unit_test(openssl_opens_ours),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
