/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapped TSK in the forms in which the AWS CLI prints it. */
#include "tests/unit/check.h"

#include "host/wrapped.h"

#define B64     "AQICAHhX" /* six bytes */
#define KEY     "arn:aws:kms:us-east-1:111122223333:key/x"
#define TSK     "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" /* 32 bytes */
#define KEY_ID  "4a1f0f7a4a1f0f7a4a1f0f7a4a1f0f7a4a1f0f7a4a1f0f7a4a1f0f7a4a1f0f7a"
#define HEX_128 KEY_ID KEY_ID

static void takes_every_form(void **state)
{
    (void)state;
    static const struct {
        const char *given;
        bool plaintext;
    } rows[] = {
        {B64, false},
        {B64 "\n", false},
        {"  AQIC\r\nAHhX\r\n", false},
        {"\xef\xbb\xbf" B64 "\r\n", false},
        {"\"" B64 "\"\n", false},
        {"\"AQIC\\u0041HhX\"", false},
        {"{\"CiphertextBlob\": \"" B64 "\", \"KeyId\": \"" KEY "\"}", false},
        {"{\"CiphertextBlob\": \"" B64 "\", \"Plaintext\": \"" TSK "\"}", true},
        {B64 "\t" KEY "\n", false},
        {B64 "\t" KEY "\t" KEY_ID "\n", false},
        {B64 "\tSYMMETRIC_DEFAULT\t" KEY "\n", false},
        {B64 "\t" KEY "\t" TSK "\n", true},
        {"CiphertextBlob: " B64 "\nKeyId: " KEY "\n", false},
        {"- CiphertextBlob: '" B64 "'\n  KeyId: " KEY "\n  Plaintext: " TSK "\n", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO out;
        struct error err = {0};
        bool plaintext;
        buffer_init(&out, WRAPPED_FILE_MAX);
        if (!wrapped_read(&out, bytes_text(rows[i].given), "f", &plaintext, &err))
            fail_msg("row %zu: %s", i, err.cause);
        assert_bytes(buffer_bytes(&out), B64);
        assert_int_equal(plaintext, rows[i].plaintext);
    }
}

static void takes_bytes_that_are_not_text(void **state)
{
    (void)state;
    static const uint8_t blob[] = {1, 2, 2, 0, 0x78, 0x57};
    BUFFER_AUTO out;
    struct error err = {0};
    bool plaintext;
    buffer_init(&out, WRAPPED_FILE_MAX);
    assert_true(wrapped_read(&out, bytes_of(blob, sizeof blob), "f", &plaintext, &err));
    assert_bytes(buffer_bytes(&out), "AQICAHhX");
}

static void says_what_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *given, *what;
    } rows[] = {
        {"", "f is empty"},
        {" \n", "f is empty"},
        {"\"\"", "f is JSON without a CiphertextBlob"},
        {"{\"KeyId\": \"" KEY "\"}", "f is JSON without a CiphertextBlob"},
        {"{\"CiphertextBlob\": 5}", "f is JSON without a CiphertextBlob"},
        {"{\"CiphertextBlob\": \"AQIC=\"}", "f is JSON whose CiphertextBlob is not base64"},
        {"[\"" B64 "\"]", "f is JSON without a CiphertextBlob"},
        {"{\"CiphertextBlob\": ", "f is neither base64 nor valid JSON"},
        {"\"" B64, "f is neither base64 nor valid JSON"},
        {TSK "\t" B64, "f is text of several fields, none of them the ARN of a key"},
        {B64 "\t" B64, "f is text of several fields, none of them the ARN of a key"},
        {"AQIC=\t" KEY, "f is text whose first field is not base64"},
        {"KeyId: " KEY "\nCiphertextBlob:\n", "f is empty"},
        {"CiphertextBlob: AQIC=", "f is YAML whose CiphertextBlob is not base64"},
        {"|  CiphertextBlob |  " B64 "  |", "f is a table"},
        {"An error occurred", "f is text of several words, not base64"},
        {"AQICAHh", "f is text, but not base64"},
        {HEX_128, "f is hex, not base64"},
        {TSK "\n", "f is a key of 32 bytes, not wrapped: keep it secret, or wrap a new one"},
        {"{\"CiphertextBlob\": \"" TSK "\"}",
         "f is a key of 32 bytes, not wrapped: keep it secret, or wrap a new one"},
        {"\001\002\003\004\005\006\007\010\011\012\013\014\015\016\017\020\021\022\023\024\025\026"
         "\027\030"
         "\031\032\033\034\035\036\037\040",
         "f is a key of 32 bytes, not wrapped: keep it secret, or wrap a new one"},
        {"\xff\xfeQ", "f is text in UTF-16; write it in ASCII"},
        {"gr\xc3\xbc\xc3\x9f", "f is text, but not base64"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO out;
        struct error err = {0};
        bool plaintext;
        buffer_init(&out, WRAPPED_FILE_MAX);
        assert_false(wrapped_read(&out, bytes_text(rows[i].given), "f", &plaintext, &err));
        assert_string_equal(err.cause, rows[i].what);
        assert_int_equal(err.code, ERROR_NO_WRAPPED_TSK);
        assert_int_equal(out.len, 0);
    }
}

static void keeps_to_the_limit_of_kms(void **state)
{
    (void)state;
    static char text[8196 + 1], quoted[8196 + 3];
    struct error err = {0};
    bool plaintext;
    memset(text, 'A', 8192); /* 6,144 bytes */
    for (unsigned i = 0; i < 2; i++) {
        BUFFER_AUTO out;
        BUFFER_AUTO again;
        buffer_init(&out, WRAPPED_FILE_MAX);
        buffer_init(&again, WRAPPED_FILE_MAX);
        snprintf(quoted, sizeof quoted, "\"%s\"", text);
        text[0] = '+'; /* not hex */
        assert_int_equal(wrapped_read(&out, bytes_text(text), "f", &plaintext, &err), i == 0);
        quoted[1] = '+';
        assert_int_equal(wrapped_read(&again, bytes_text(quoted), "f", &plaintext, &err), i == 0);
        if (i == 1)
            assert_string_equal(err.cause, "f is too long for a CiphertextBlob");
        memset(text, 'A', 8196); /* 6,147 bytes */
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_every_form),
        cmocka_unit_test(takes_bytes_that_are_not_text),
        cmocka_unit_test(says_what_it_is),
        cmocka_unit_test(keeps_to_the_limit_of_kms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
