/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "config/config.h"
#include "sockets/any_address.h"

#define ARN        "\"key_arn\": \"arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab\""
#define KMS        "\"kms\": {" ARN ", \"roots_file\": \"/r.pem\"}"
#define WITH(more) "{\"kms\": {" ARN ", \"roots_file\": \"/r.pem\", " more "}}"

static void defaults(void **state)
{
    (void)state;
    struct config c;
    struct error err = {0};
    if (!config_parse(&c, bytes_text("{" KMS "}"), "file", any_address_parse, &err))
        fail_msg("%s", err.cause);
    assert_string_equal(c.listen.text, "vsock:any:5000");
    assert_string_equal(c.relay.text, "vsock:3:8000");
    assert_string_equal(c.region, "eu-central-1");
    assert_string_equal(c.host, "kms.eu-central-1.amazonaws.com");
    assert_bytes(buffer_bytes(&c.encryption_context), "{}");
    assert_int_equal(c.limits.frame_bytes, 16777216);
    assert_in_range(c.limits.buffered_bytes, 2 * 16777216, 8 * 16777216);
    assert_int_equal(c.limits.json_values, 1048576);
    assert_true(c.limits.connections >= 1024);
    assert_int_equal(c.limits.json_depth, 128);
    assert_int_equal(c.previous_key_ms, 3600000);
    assert_int_equal(c.attempt_ms, 10000);
    assert_int_equal(c.total_ms, 60000);
    assert_string_equal(c.wrapped_tsk_file, "");
    assert_false(c.wrapped_pins.given);
    assert_int_equal(c.wrapped_pins.count, 0);
    config_clear(&c);
}

static void everything_given(void **state)
{
    (void)state;
    static const char text[] =
        "{\"listen\": \"unix:/run/x\", \"kms\": {" ARN ", \"roots_file\": \"/r\","
        "\"encryption_context\": {\"a\": \"\\u00e9\", \"b\": \"\"}, \"endpoint\": \"kms.local\","
        "\"relay\": \"tcp:127.0.0.1:1\", \"wrapped_tsk_file\": \"/t\", \"attempt_seconds\": 1,"
        "\"total_seconds\": 2}, \"rotation\": {\"previous_key_seconds\": 0}, \"limits\": {"
        "\"frame_bytes\": 64, \"buffered_bytes\": 64, \"connections\": 1, \"idle_seconds\": 3,"
        "\"frame_seconds\": 4, \"write_seconds\": 5, \"drain_seconds\": 6, \"json_depth\": 4, "
        "\"json_values\": 100}}";
    struct config c;
    struct error err = {0};
    if (!config_parse(&c, bytes_text(text), "file", any_address_parse, &err))
        fail_msg("%s", err.cause);
    assert_string_equal(c.listen.text, "unix:/run/x");
    assert_string_equal(c.host, "kms.local");
    assert_string_equal(c.relay.text, "tcp:127.0.0.1:1");
    assert_string_equal(c.wrapped_tsk_file, "/t");
    assert_bytes(buffer_bytes(&c.encryption_context), "{\"a\": \"\\u00e9\", \"b\": \"\"}");
    assert_int_equal(c.previous_key_ms, 0);
    assert_int_equal(c.limits.frame_bytes, 64);
    assert_int_equal(c.limits.connections, 1);
    assert_int_equal(c.limits.idle_ms, 3000);
    assert_int_equal(c.limits.frame_ms, 4000);
    assert_int_equal(c.limits.write_ms, 5000);
    assert_int_equal(c.limits.drain_ms, 6000);
    assert_int_equal(c.limits.json_depth, 4);
    assert_int_equal(c.limits.json_values, 100);
    assert_int_equal(c.attempt_ms, 1000);
    assert_int_equal(c.total_ms, 2000);
    config_clear(&c);
}

#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define FOUR  "\"" ZEROS "\",\"" ZEROS "\",\"" ZEROS "\",\"" ZEROS "\""

static void wrapped_keys_are_pinned(void **state)
{
    (void)state;
    static const struct {
        const char *list;
        size_t count;
    } rows[] = {
        {"[]", 0},
        {"[\"" ZEROS "\"]", 1},
        {"[ \"" ZEROS "\" , \"00FF0000000000000000000000000000000000000000000000000000000000Aa\"]",
         2},
        {"[" FOUR "," FOUR "," FOUR "," FOUR "]", CONFIG_PINS_MAX},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[2000];
        struct config c;
        struct error err = {0};
        snprintf(text, sizeof text, WITH("\"wrapped_tsk_sha256\": %s"), rows[i].list);
        if (!config_parse(&c, bytes_text(text), "file", any_address_parse, &err))
            fail_msg("%s: %s", rows[i].list, err.cause);
        assert_true(c.wrapped_pins.given);
        assert_int_equal(c.wrapped_pins.count, rows[i].count);
        if (i == 2) {
            assert_int_equal(c.wrapped_pins.sha256[1][1], 0xff);
            assert_int_equal(c.wrapped_pins.sha256[1][31], 0xaa);
        }
        config_clear(&c);
    }
}

static void endpoints_by_partition(void **state)
{
    (void)state;
    static const struct {
        const char *arn, *host; /* NULL: no known endpoint */
    } rows[] = {
        {"arn:aws:kms:us-east-1:111122223333:key/a", "kms.us-east-1.amazonaws.com"},
        {"arn:aws-cn:kms:cn-north-1:111122223333:key/a", "kms.cn-north-1.amazonaws.com.cn"},
        {"arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-0a",
         "kms.us-gov-west-1.amazonaws.com"},
        {"arn:aws-eusc:kms:eusc-de-east-1:111122223333:key/a", "kms.eusc-de-east-1.amazonaws.eu"},
        {"arn:aws-new:kms:x-1:111122223333:key/a", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char text[400];
        struct config c;
        struct error err = {0};
        snprintf(text, sizeof text, "{\"kms\": {\"key_arn\": \"%s\", \"roots_file\": \"/r\"}}",
                 rows[i].arn);
        bool ok = config_parse(&c, bytes_text(text), "file", any_address_parse, &err);
        assert_int_equal(ok, rows[i].host != NULL);
        if (ok)
            assert_string_equal(c.host, rows[i].host);
        else
            assert_non_null(strstr(err.cause, "endpoint"));
        config_clear(&c);
    }
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *named;
    } rows[] = {
        {"", "file: not valid JSON"},
        {"[]", "object"},
        {"{}", "kms.key_arn"},
        {"{\"kms\": 1}", "kms: must be an object"},
        {"{" KMS ", \"extra\": 1}", "extra"},
        {"{" KMS ", \"limits\": {\"frames\": 1}}", "limits.\"frames\""},
        {"{" KMS ", \"rotation\": {\"x\": 1}}", "rotation"},
        {"{" KMS ", " KMS "}", "two members"},
        {"{\"kms\": {" ARN "}}", "roots_file"},
        {WITH("\"other\": 1"), "other"},
        {WITH("\"relay\": \"8000\""), "kms.relay"},
        {WITH("\"relay\": \"tcp:kms.example.com:443\""), "kms.relay"},
        {WITH("\"endpoint\": \"https://x\""), "kms.endpoint"},
        {WITH("\"endpoint\": \"x:443\""), "kms.endpoint"},
        {WITH("\"endpoint\": \"\""), "kms.endpoint"},
        {WITH("\"attempt_seconds\": 0"), "from 1 to 600"},
        {WITH("\"total_seconds\": 3601"), "from 1 to 3600"},
        {WITH("\"total_seconds\": 1.5"), "total_seconds"},
        {WITH("\"total_seconds\": \"1\""), "total_seconds"},
        {WITH("\"encryption_context\": []"), "encryption_context"},
        {WITH("\"encryption_context\": {\"a\": 1}"), "encryption_context"},
        {WITH("\"wrapped_tsk_file\": \"a\\u0000b\""), "wrapped_tsk_file"},
        {WITH("\"wrapped_tsk_sha256\": \"" ZEROS "\""), "wrapped_tsk_sha256"},
        {WITH("\"wrapped_tsk_sha256\": {\"" ZEROS "\": 1}"), "wrapped_tsk_sha256"},
        {WITH("\"wrapped_tsk_sha256\": null"), "wrapped_tsk_sha256"},
        {WITH("\"wrapped_tsk_sha256\": [1]"), "wrapped_tsk_sha256"},
        {WITH("\"wrapped_tsk_sha256\": [\"\"]"), "wrapped_tsk_sha256"},
        {WITH("\"wrapped_tsk_sha256\": [\"" ZEROS "\", \"00\"]"), "64 hex digits"},
        {WITH("\"wrapped_tsk_sha256\": [\"" ZEROS "00\"]"), "64 hex digits"},
        {WITH("\"wrapped_tsk_sha256\": [\"x" ZEROS "\"]"), "64 hex digits"},
        {WITH("\"wrapped_tsk_sha256\": [" FOUR "," FOUR "," FOUR "," FOUR ",\"" ZEROS "\"]"),
         "at most 16"},
        {"{" KMS ", \"listen\": \"vsock:any\"}", "listen"},
        {"{" KMS ", \"listen\": 5000}", "listen"},
        {"{" KMS ", \"limits\": {\"frame_bytes\": 63}}", "frame_bytes"},
        {"{" KMS ", \"limits\": {\"frame_bytes\": 268435457}}", "frame_bytes"},
        {"{" KMS ", \"limits\": {\"buffered_bytes\": 100}}", "buffered_bytes"},
        {"{" KMS ", \"limits\": {\"connections\": 0}}", "connections"},
        {"{" KMS ", \"limits\": {\"json_depth\": 513}}", "json_depth"},
        {"{" KMS ", \"limits\": {\"json_values\": 99}}", "json_values"},
        {"{" KMS ", \"limits\": {\"idle_seconds\": -1}}", "idle_seconds"},
        {"{" KMS ", \"limits\": []}", "limits"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct config c;
        struct error err = {0};
        if (config_parse(&c, bytes_text(rows[i].text), "file", any_address_parse, &err))
            fail_msg("accepted %s", rows[i].text);
        assert_int_equal(err.code, ERROR_CONFIG);
        if (strstr(err.cause, rows[i].named) == NULL)
            fail_msg("%s: got \"%s\", want \"%s\"", rows[i].text, err.cause, rows[i].named);
    }
}

static void only_a_keys_own_arn_will_do(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "1234abcd-12ab",
        "alias/tsk",
        "arn:aws:kms:eu-central-1:111122223333:alias/tsk",
        "arn:aws:kms:eu-central-1:111122223333:key/",
        "arn:aws:kms:eu-central-1:111122223333:key/a:b",
        "arn:aws:kms:eu-central-1:111122223333:key/A*",
        "arn:aws:kms:eu-central-1:11112222333:key/a",
        "arn:aws:kms:eu-central-1:11112222333x:key/a",
        "arn:aws:kms::111122223333:key/a",
        "arn:aws:kms:EU:111122223333:key/a",
        "arn:aws:s3:eu-central-1:111122223333:key/a",
        "arn:aws:kms:eu-central-1",
        "urn:aws:kms:eu-central-1:111122223333:key/a",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[300];
        struct config c;
        struct error err = {0};
        snprintf(text, sizeof text, "{\"kms\": {\"key_arn\": \"%s\", \"roots_file\": \"/r\"}}",
                 bad[i]);
        if (config_parse(&c, bytes_text(text), "file", any_address_parse, &err))
            fail_msg("accepted %s", bad[i]);
        assert_non_null(strstr(err.cause, "key_arn"));
    }
}

static void files_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    struct config c;
    struct error err = {0};
    assert_false(config_load(&c, "/nonexistent.json", any_address_parse, &err));
    assert_non_null(strstr(err.cause, "/nonexistent.json"));
    assert_false(config_load(&c, "/", any_address_parse, &err));
    assert_int_equal(err.code, ERROR_CONFIG);
    for (size_t limit = 1; limit < 20000; limit += 997) {
        BUFFER_AUTO out;
        buffer_init(&out, limit);
        assert_false(config_read_file("/dev/zero", &out, &err));
        assert_non_null(strstr(err.cause, "longer than"));
    }
    char path[] = "/tmp/enclaved-config-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    FILE *file = fdopen(fd, "w");
    fputs("{" KMS "}", file);
    fclose(file);
    assert_true(config_load(&c, path, any_address_parse, &err));
    config_clear(&c);
    BUFFER_AUTO exact;
    buffer_init(&exact, strlen("{" KMS "}"));
    assert_true(config_read_file(path, &exact, &err));
    remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults),
        cmocka_unit_test(everything_given),
        cmocka_unit_test(wrapped_keys_are_pinned),
        cmocka_unit_test(endpoints_by_partition),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(only_a_keys_own_arn_will_do),
        cmocka_unit_test(files_are_read_whole_or_not_at_all),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
