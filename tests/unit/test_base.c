/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include "base/base64.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/secret.h"
#include "formats/clock_parse.h"

static void hex_round_trip(void **state)
{
    (void)state;
    uint8_t all[256], back[256];
    char text[512];
    for (unsigned i = 0; i < sizeof all; i++)
        all[i] = (uint8_t)i;
    hex_encode(text, bytes_of(all, sizeof all));
    assert_memory_equal(text, "000102", 6);
    assert_memory_equal(text + 506, "fdfeff", 6);
    assert_true(hex_decode(back, bytes_of(text, sizeof text)));
    assert_memory_equal(all, back, sizeof all);
    assert_true(hex_decode(back, bytes_text("AbCdEF")));
    assert_memory_equal(back, "\xab\xcd\xef", 3);
}

static void hex_refuses_all_other_bytes(void **state)
{
    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool digit = c < 128 && c != 0 && strchr("0123456789abcdefABCDEF", (int)c) != NULL;
        uint8_t out[1], low[2] = {'0', (uint8_t)c}, high[2] = {(uint8_t)c, '0'};
        assert_int_equal(hex_decode(out, bytes_of(low, 2)), digit);
        assert_int_equal(hex_decode(out, bytes_of(high, 2)), digit);
    }
    /* at each place of a text of every length up to a few blocks, and where it stands */
    char text[400];
    uint8_t plain[200];
    for (size_t len = 0; len <= sizeof text; len += 2) {
        for (size_t i = 0; i < len / 2; i++)
            plain[i] = (uint8_t)(i * 37 + len);
        hex_encode(text, bytes_of(plain, len / 2));
        for (size_t i = 0; i < len; i += len < 140 ? 1 : 13) {
            uint8_t back[200];
            char was = text[i];
            text[i] = 'g';
            assert_false(hex_decode(back, bytes_of(text, len)));
            text[i] = was;
        }
        assert_true(hex_decode((uint8_t *)text, bytes_of(text, len)));
        assert_memory_equal(text, plain, len / 2);
    }
    uint8_t out[2];
    assert_false(hex_decode(out, bytes_text("abc")));
    assert_true(hex_decode(out, bytes_text("")));
}

static void base64_vectors(void **state)
{
    (void)state;
    /* RFC 4648, section 10 */
    static const char *const rows[][2] = {
        {"", ""},
        {"f", "Zg=="},
        {"fo", "Zm8="},
        {"foo", "Zm9v"},
        {"foob", "Zm9vYg=="},
        {"fooba", "Zm9vYmE="},
        {"foobar", "Zm9vYmFy"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO out;
        buffer_init(&out, 100);
        base64_encode(&out, bytes_text(rows[i][0]));
        assert_bytes(buffer_bytes(&out), rows[i][1]);
        buffer_reset(&out);
        assert_true(base64_decode(&out, bytes_text(rows[i][1])));
        assert_bytes(buffer_bytes(&out), rows[i][0]);
    }
    static const char *const bad[] = {
        "Zg", "Zg=", "Zh==", "Zm9=", "Z===", "====", "Zm 9", "Zm9v\n", "Zg==Zg==", "Zm-_"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        BUFFER_AUTO out;
        buffer_init(&out, 100);
        if (base64_decode(&out, bytes_text(bad[i])))
            fail_msg("accepted %s", bad[i]);
    }
}

static void clock_formats(void **state)
{
    (void)state;
    char iso[CLOCK_ISO_SIZE], basic[CLOCK_BASIC_SIZE];
    int64_t us;
    clock_format_iso(iso, INT64_C(1709164800000001));
    assert_string_equal(iso, "2024-02-29T00:00:00.000001");
    clock_format_basic(basic, INT64_C(1440938160000000));
    assert_string_equal(basic, "20150830T123600Z");
    assert_true(clock_parse(bytes_text("2015-08-30T12:36:00Z"), &us));
    assert_int_equal(us, INT64_C(1440938160000000));
    assert_true(clock_parse(bytes_text("20150830T123600Z"), &us));
    assert_int_equal(us, INT64_C(1440938160000000));
    assert_true(clock_parse(bytes_text("2015-08-30T14:36:00.25+02:00"), &us));
    assert_int_equal(us, INT64_C(1440938160250000));
    static const char *const bad[] = {"",
                                      "2015-08-30",
                                      "2015-08-30T12:36:00",
                                      "2015-02-29T12:36:00Z",
                                      "1969-12-31T23:59:59Z",
                                      "2015-08-30T24:00:00Z",
                                      "2015-08-30T12:36:00.Z",
                                      "2015-08-30T12:36:00Zx",
                                      "2015-13-30T12:36:00Z",
                                      "2015-00-30T12:36:00Z"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        if (clock_parse(bytes_text(bad[i]), &us))
            fail_msg("accepted %s", bad[i]);
    for (int64_t day = 0; day < 400000; day += 13) {
        int64_t in = day * 86400000000, out;
        clock_format_iso(iso, in);
        strcpy(iso + 19, "Z");
        assert_true(clock_parse(bytes_text(iso), &out));
        assert_int_equal(in, out);
    }
}

static void buffer_grows_as_it_says(void **state)
{
    (void)state;
    for (int secret = 0; secret < 2; secret++)
        for (size_t more = 0; more <= 20000; more += more < 300 ? 1 : 997) {
            struct buffer b;
            if (secret != 0)
                buffer_init_secret(&b, 50000);
            else
                buffer_init(&b, 50000);
            for (int times = 0; times < 2; times++) {
                size_t cap = buffer_cap_after(&b, more);
                assert_non_null(buffer_reserve(&b, more));
                buffer_commit(&b, more);
                assert_int_equal(b.cap, cap);
                assert_true(b.len <= b.cap && b.cap <= b.limit);
            }
            buffer_clear(&b);
        }
}

static void buffer_keeps_its_limit(void **state)
{
    (void)state;
    for (int secret = 0; secret < 2; secret++) {
        BUFFER_AUTO b;
        if (secret)
            buffer_init_secret(&b, 1000);
        else
            buffer_init(&b, 1000);
        for (int i = 0; i < 100; i++)
            buffer_text(&b, "0123456789");
        assert_false(b.failed);
        assert_int_equal(b.len, 1000);
        buffer_byte(&b, 'x');
        assert_true(b.failed);
        assert_int_equal(b.len, 1000);
        assert_null(buffer_reserve(&b, 0));
        buffer_reset(&b);
        assert_false(b.failed);
        assert_int_equal(b.at[0], 0);
        buffer_printf(&b, "%d %s", 7, "seven");
        buffer_consume(&b, 2);
        assert_bytes(buffer_bytes(&b), "seven");
        assert_int_equal(b.at[5], 0);
        assert_null(buffer_reserve(&b, SIZE_MAX));
    }
}

static void secret_memory(void **state)
{
    (void)state;
    uint8_t *at = secret_alloc(5000);
    assert_non_null(at);
    for (size_t i = 0; i < 5000; i++)
        assert_int_equal(at[i], 0);
    memset(at, 1, 5000);
    secret_free(at, 5000);
    secret_free(NULL, 1);
    assert_null(secret_alloc(0));
    assert_null(secret_alloc(SIZE_MAX));
}

static void constant_time_equality(void **state)
{
    (void)state;
    assert_true(bytes_equal_secret(bytes_text("abc"), bytes_text("abc")));
    assert_false(bytes_equal_secret(bytes_text("abc"), bytes_text("abd")));
    assert_false(bytes_equal_secret(bytes_text("abc"), bytes_text("ab")));
    assert_true(bytes_equal_secret(bytes_text(""), bytes_text("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_round_trip),          cmocka_unit_test(hex_refuses_all_other_bytes),
        cmocka_unit_test(base64_vectors),          cmocka_unit_test(clock_formats),
        cmocka_unit_test(buffer_grows_as_it_says), cmocka_unit_test(buffer_keeps_its_limit),
        cmocka_unit_test(secret_memory),           cmocka_unit_test(constant_time_equality),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
