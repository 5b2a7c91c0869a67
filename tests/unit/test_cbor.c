/* SPDX-License-Identifier: Apache-2.0 */
/* The CBOR reader and writer, against RFC 8949's appendix A and against what strangers may send. */
#include "tests/unit/vectors.h"

#include "formats/cbor_types.h"

static struct buffer from_hex(const char *hex)
{
    struct buffer b;
    buffer_init(&b, 1u << 20);
    size_t len = strlen(hex) / 2;
    uint8_t *room = buffer_reserve(&b, len);
    assert_non_null(room);
    assert_true(hex_decode(room, bytes_text(hex)));
    buffer_commit(&b, len);
    return b;
}

static void assert_hex(struct bytes got, const char *want)
{
    char hex[4096];
    assert_true(got.len * 2 < sizeof hex);
    hex_encode(hex, got);
    hex[got.len * 2] = '\0';
    assert_string_equal(hex, want);
}

/* RFC 8949, appendix A, integers: what is read, and that it is written back in the same form. */
static void reads_and_writes_integers(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        int64_t value;
    } cases[] = {
        {"00", 0},
        {"01", 1},
        {"0a", 10},
        {"17", 23},
        {"1818", 24},
        {"1819", 25},
        {"1864", 100},
        {"1903e8", 1000},
        {"1a000f4240", 1000000},
        {"1b000000e8d4a51000", 1000000000000},
        {"20", -1},
        {"29", -10},
        {"3863", -100},
        {"3903e7", -1000},
        {"18ff", 255},
        {"190100", 256},
        {"19ffff", 65535},
        {"1a00010000", 65536},
        {"1affffffff", 4294967295},
        {"1b0000000100000000", 4294967296},
        {"1b7fffffffffffffff", INT64_MAX},
        {"3b7fffffffffffffff", INT64_MIN},
        {"3822", -35},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i].hex);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_peek(&r), cases[i].value < 0 ? CBOR_NEGATIVE : CBOR_UNSIGNED);
        assert_int_equal(cbor_integer(&r), cases[i].value);
        assert_true(cbor_reader_done(&r));
        BUFFER_AUTO out = {.limit = 64};
        cbor_put_integer(&out, cases[i].value);
        assert_hex(buffer_bytes(&out), cases[i].hex);
    }
}

static void unsigned_goes_to_the_end_of_64_bits(void **state)
{
    (void)state;
    BUFFER_AUTO in = from_hex("1bffffffffffffffff");
    struct cbor_reader r = cbor_reader(buffer_bytes(&in));
    assert_true(cbor_unsigned(&r) == UINT64_MAX);
    assert_true(cbor_reader_done(&r));
    r = cbor_reader(buffer_bytes(&in));
    assert_int_equal(cbor_integer(&r), 0); /* does not fit an int64_t */
    assert_true(r.failed);
    BUFFER_AUTO out = {.limit = 64};
    cbor_put_unsigned(&out, UINT64_MAX);
    assert_hex(buffer_bytes(&out), "1bffffffffffffffff");
    BUFFER_AUTO low = from_hex("3bffffffffffffffff"); /* -2^64: appendix A */
    r = cbor_reader(buffer_bytes(&low));
    assert_int_equal(cbor_integer(&r), 0);
    assert_true(r.failed);
}

static void reads_strings(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum cbor_type type;
        const char *value;
    } cases[] = {
        {"40", CBOR_BYTES, ""},
        {"4401020304", CBOR_BYTES, "\x01\x02\x03\x04"},
        {"60", CBOR_TEXT, ""},
        {"6161", CBOR_TEXT, "a"},
        {"6449455446", CBOR_TEXT, "IETF"},
        {"62225c", CBOR_TEXT, "\"\\"},
        {"62c3bc", CBOR_TEXT, "\u00fc"},
        {"63e6b0b4", CBOR_TEXT, "\u6c34"},
        {"64f0908591", CBOR_TEXT, "\U00010151"},
        {"780161", CBOR_TEXT, "a"}, /* a length longer than need be is well-formed */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i].hex);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_peek(&r), cases[i].type);
        assert_bytes(cases[i].type == CBOR_TEXT ? cbor_text(&r) : cbor_bytes(&r), cases[i].value);
        assert_true(cbor_reader_done(&r));
    }
}

static void text_must_be_utf8(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "61ff",
        "6180",
        "62c080" /* overlong */,
        "62c328",
        "63e08080",
        "63eda080" /* surrogate */,
        "64f0808080",
        "64f4908080" /* beyond U+10FFFF */,
        "62e282" /* cut */,
        "64f5808080",
        "63e28228",
        "64f0908528",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i]);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_text(&r).len, 0);
        assert_true(r.failed);
        r = cbor_reader(buffer_bytes(&in)); /* well-formed all the same */
        assert_int_equal(cbor_skip(&r).len, in.len);
        assert_true(cbor_reader_done(&r));
    }
}

static void reads_simple_values(void **state)
{
    (void)state;
    BUFFER_AUTO in = from_hex("f4f5f6f7"); /* false, true, null, undefined */
    struct cbor_reader r = cbor_reader(buffer_bytes(&in));
    assert_int_equal(cbor_peek(&r), CBOR_SIMPLE);
    assert_false(cbor_null(&r));
    assert_false(cbor_boolean(&r));
    assert_true(cbor_boolean(&r));
    assert_true(cbor_null(&r));
    assert_false(cbor_null(&r));
    assert_false(r.failed);
    assert_false(cbor_boolean(&r)); /* undefined is not a boolean */
    assert_int_equal(r.failed, CBOR_WRONG_TYPE);
    assert_int_equal(cbor_peek(&r), CBOR_INVALID);
}

/* {"a": 1, "b": [2, 3]} and the same with indefinite lengths, from appendix A. */
static void walks_maps_and_arrays(void **state)
{
    (void)state;
    static const char *const cases[] = {"a26161016162820203", "bf61610161629f0203ffff",
                                        "bf6161016162820203ff", "a261610161629f0203ff"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i]);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        uint64_t a = 0, b[2] = {0};
        size_t count = 0;
        struct cbor_items map = cbor_enter(&r, CBOR_MAP);
        while (cbor_next(&r, &map)) {
            if (bytes_equal_text(cbor_text(&r), "a")) {
                a = cbor_unsigned(&r);
            } else {
                struct cbor_items array = cbor_enter(&r, CBOR_ARRAY);
                while (cbor_next(&r, &array) && count < 2)
                    b[count++] = cbor_unsigned(&r);
            }
        }
        assert_true(cbor_reader_done(&r));
        assert_int_equal(a, 1);
        assert_int_equal(count, 2);
        assert_int_equal(b[0], 2);
        assert_int_equal(b[1], 3);
        assert_false(cbor_next(&r, &map)); /* stays at its end */
    }
}

static void indefinite_map_of_odd_length_fails(void **state)
{
    (void)state;
    BUFFER_AUTO in = from_hex("bf6161ff");
    struct cbor_reader r = cbor_reader(buffer_bytes(&in));
    struct cbor_items map = cbor_enter(&r, CBOR_MAP);
    assert_true(cbor_next(&r, &map));
    (void)cbor_text(&r);
    (void)cbor_unsigned(&r); /* the break */
    assert_true(r.failed);
    assert_false(cbor_next(&r, &map));
    r = cbor_reader(buffer_bytes(&in));
    assert_int_equal(cbor_skip(&r).len, 0);
    assert_true(r.failed);
}

static void another_type_than_asked_for_fails(void **state)
{
    (void)state;
    static const char *const items[] = {"01", "20",   "4101", "6161", "80",
                                        "a0", "c101", "f4",   "f6",   "ff"};
    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        BUFFER_AUTO in = from_hex(items[i]);
        for (enum cbor_type asked = CBOR_UNSIGNED; asked <= CBOR_SIMPLE; asked++) {
            struct cbor_reader r = cbor_reader(buffer_bytes(&in));
            enum cbor_type is = cbor_peek(&r);
            bool want = is == asked;
            if (asked == CBOR_UNSIGNED) {
                (void)cbor_unsigned(&r);
            } else if (asked == CBOR_NEGATIVE) {
                (void)cbor_integer(&r);
                want = is == CBOR_UNSIGNED || is == CBOR_NEGATIVE;
            } else if (asked == CBOR_BYTES) {
                (void)cbor_bytes(&r);
            } else if (asked == CBOR_TEXT) {
                (void)cbor_text(&r);
            } else if (asked == CBOR_ARRAY) {
                (void)cbor_enter(&r, CBOR_ARRAY);
            } else if (asked == CBOR_MAP) {
                (void)cbor_enter(&r, CBOR_MAP);
            } else if (asked == CBOR_TAG) {
                (void)cbor_tag(&r);
            } else {
                (void)cbor_boolean(&r);
                want = strcmp(items[i], "f4") == 0;
            }
            if (r.failed != (want ? CBOR_FINE : CBOR_WRONG_TYPE))
                fail_msg("%s read as type %d: failed is %u", items[i], (int)asked, r.failed);
        }
    }
}

/* Items of appendix A, and more, that can be passed over. */
static const char *const well_formed[] = {
    "3bffffffffffffffff",
    "f0",
    "4401020304",
    "6449455446",
    "80",
    "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
    "a56161614161626142616361436164614461656145",
    "9fff",
    "9f018202039f0405ffff",
    "83018202039f0405ff",
    "bf61610161629f0203ffff",
    "bf6346756ef563416d7421ff",
    "bfff",
    "a2646c6f636bf4646461746144deadbeef", /* what DescribePCR answers */
};

static void skips_one_item_of_any_kind(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(well_formed); i++) {
        BUFFER_AUTO in = from_hex(well_formed[i]);
        size_t len = in.len;
        buffer_byte(&in, 0x07);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        assert_hex(cbor_skip(&r), well_formed[i]);
        assert_int_equal(r.at, len);
        assert_int_equal(cbor_unsigned(&r), 7);
        assert_true(cbor_reader_done(&r));
    }
}

static void truncation_at_each_byte_fails(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(well_formed); i++) {
        BUFFER_AUTO in = from_hex(well_formed[i]);
        for (size_t len = 0; len < in.len; len++) {
            /* Of its own allocation, so that reading past the end shows under ASan. */
            uint8_t *part = malloc(len == 0 ? 1 : len);
            assert_non_null(part);
            memcpy(part, in.at, len);
            struct cbor_reader r = cbor_reader(bytes_of(part, len));
            assert_int_equal(cbor_skip(&r).len, 0);
            assert_int_equal(r.failed, CBOR_ENDS_EARLY);
            assert_false(cbor_reader_done(&r));
            free(part);
        }
    }
}

static void items_of_a_bad_form_fail(void **state)
{
    (void)state;
    static const char *const cases[] = {
        /* Not well-formed: a width that is reserved, or that this type cannot have. */
        "1c", "1d", "1e", "1f", "3c", "3f", "5c", "7d", "9e", "bc", "dc", "df", "fc", "fd", "fe",
        "f800", "f818", "f81f", /* simple values below 32 in two bytes */
        "ff", "81ff", "a1ff", "a16161ff", "8201ff", "bf01ff", /* a break in the wrong place */
        /* Well-formed, but not of the part that is read: strings in chunks, */
        "5f42010243030405ff", "7f657374726561646d696e67ff", "5fff", "7fff", "815fff",
        /* floats and simple values of two bytes, */
        "f90000", "f97c00", "fa47c35000", "fb3ff199999999999a", "f8ff", "a16161f93c00",
        /* and tags where none is asked for. */
        "c249010000000000000000", "d74401020304", "d818456449455446", "c1ff", "a16161c101"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i]);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        if (cbor_skip(&r).len != 0 || r.failed != CBOR_BAD_FORM)
            fail_msg("%s was passed over, or failed otherwise: %u", cases[i], r.failed);
    }
}

static void failures_are_named(void **state)
{
    (void)state;
    for (enum cbor_failure why = CBOR_FINE; why <= CBOR_TOO_DEEP; why++)
        assert_true(strlen(cbor_failure_text(why)) > 0);
}

static void hostile_lengths_fail(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "5bffffffffffffffff00",   "7bffffffffffffffff00",   "9bffffffffffffffff00",
        "bbffffffffffffffff0000", "bb80000000000000000000", "9b7fffffffffffffff00",
        "5bfffffffffffffff700",   "5a0000000300",           "9a0000000300",
        "ba000000020000",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i]);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_skip(&r).len, 0);
        assert_int_equal(r.failed, CBOR_ENDS_EARLY);
        r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_bytes(&r).len, 0);
        assert_true(r.failed);
        r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_text(&r).len, 0);
        assert_true(r.failed);
        r = cbor_reader(buffer_bytes(&in));
        struct cbor_items items = cbor_enter(&r, CBOR_ARRAY);
        assert_true(r.failed);
        assert_false(cbor_next(&r, &items));
        r = cbor_reader(buffer_bytes(&in));
        items = cbor_enter(&r, CBOR_MAP);
        assert_true(r.failed);
        assert_false(cbor_next(&r, &items));
    }
}

static void strings_in_chunks_are_refused(void **state)
{
    (void)state;
    BUFFER_AUTO bytes = from_hex("5f42010243030405ff");
    struct cbor_reader r = cbor_reader(buffer_bytes(&bytes));
    assert_int_equal(cbor_bytes(&r).len, 0);
    assert_int_equal(r.failed, CBOR_BAD_FORM);
    BUFFER_AUTO text = from_hex("7f6161ff");
    r = cbor_reader(buffer_bytes(&text));
    assert_int_equal(cbor_text(&r).len, 0);
    assert_int_equal(r.failed, CBOR_BAD_FORM);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    static const uint8_t openers[] = {0x81, 0x9f, 0xbf};
    for (size_t o = 0; o < ARRAY_LEN(openers); o++) {
        for (size_t depth = CBOR_DEPTH_MAX - 1; depth <= CBOR_DEPTH_MAX + 1; depth++) {
            BUFFER_AUTO in = {.limit = 256};
            for (size_t i = 0; i < depth; i++) {
                buffer_byte(&in, openers[o]);
                if (openers[o] == 0xbf)
                    buffer_byte(&in, 0x00); /* the key */
            }
            buffer_byte(&in, 0x00);
            for (size_t i = 0; i < depth && (openers[o] & 0x1f) == 0x1f; i++)
                buffer_byte(&in, 0xff);
            struct cbor_reader r = cbor_reader(buffer_bytes(&in));
            assert_int_equal(cbor_skip(&r).len, depth <= CBOR_DEPTH_MAX ? in.len : 0);
            assert_int_equal(r.failed, depth > CBOR_DEPTH_MAX ? CBOR_TOO_DEEP : CBOR_FINE);
        }
    }
}

static void a_failure_stays(void **state)
{
    (void)state;
    BUFFER_AUTO in = from_hex("016161f6");
    struct cbor_reader r = cbor_reader(buffer_bytes(&in));
    (void)cbor_text(&r); /* it is an integer */
    assert_true(r.failed);
    assert_int_equal(cbor_unsigned(&r), 0);
    assert_int_equal(cbor_integer(&r), 0);
    assert_int_equal(cbor_text(&r).len, 0);
    assert_int_equal(cbor_bytes(&r).len, 0);
    assert_int_equal(cbor_skip(&r).len, 0);
    assert_false(cbor_null(&r));
    assert_false(cbor_boolean(&r));
    assert_false(cbor_reader_done(&r));
}

static void what_is_left_over_is_not_done(void **state)
{
    (void)state;
    BUFFER_AUTO in = from_hex("0101");
    struct cbor_reader r = cbor_reader(buffer_bytes(&in));
    (void)cbor_unsigned(&r);
    assert_false(cbor_reader_done(&r));
    struct cbor_reader empty = cbor_reader(bytes_of(NULL, 0));
    assert_int_equal(cbor_peek(&empty), CBOR_INVALID);
    assert_true(cbor_reader_done(&empty));
    assert_false(cbor_null(&empty));
    (void)cbor_skip(&empty);
    assert_true(empty.failed);
}

static void peek_names_every_type(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        enum cbor_type type;
    } cases[] = {
        {"00", CBOR_UNSIGNED}, {"20", CBOR_NEGATIVE},  {"40", CBOR_BYTES},
        {"5f", CBOR_INVALID},  {"60", CBOR_TEXT},      {"80", CBOR_ARRAY},
        {"a0", CBOR_MAP},      {"c0", CBOR_TAG},       {"e0", CBOR_SIMPLE},
        {"f6", CBOR_SIMPLE},   {"f8ff", CBOR_INVALID}, {"f93c00", CBOR_INVALID},
        {"ff", CBOR_BREAK},    {"1f", CBOR_INVALID},   {"fc", CBOR_INVALID},
        {"18", CBOR_INVALID},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        BUFFER_AUTO in = from_hex(cases[i].hex);
        struct cbor_reader r = cbor_reader(buffer_bytes(&in));
        assert_int_equal(cbor_peek(&r), cases[i].type);
        assert_int_equal(r.at, 0);
        assert_false(r.failed);
    }
}

static void writes(void **state)
{
    (void)state;
    BUFFER_AUTO out = {.limit = 256};
    cbor_put_map(&out, 2);
    cbor_put_text(&out, "a");
    cbor_put_bytes(&out, bytes_text("\x01\x02"));
    cbor_put_text_bytes(&out, bytes_text("bc"));
    cbor_put_array(&out, 25);
    cbor_put_boolean(&out, true);
    cbor_put_boolean(&out, false);
    cbor_put_null(&out);
    cbor_put_map_indefinite(&out);
    cbor_put_break(&out);
    assert_false(out.failed);
    assert_hex(buffer_bytes(&out), "a2616142010262626398"
                                   "19f5f4f6bfff");
    BUFFER_AUTO small = {.limit = 3};
    cbor_put_text(&small, "too long");
    assert_true(small.failed);
}

/* What appendix A says an item is, where it is of the subset: read it and compare. */
static bool reads_as(const struct json *doc, json_value decoded, struct bytes item)
{
    struct cbor_reader r = cbor_reader(item);
    BUFFER_AUTO text = {.limit = 4096};
    int64_t number;
    switch (json_type(doc, decoded)) {
    case JSON_NULL:
        return cbor_null(&r) && cbor_reader_done(&r);
    case JSON_FALSE:
    case JSON_TRUE:
        return cbor_boolean(&r) == (json_type(doc, decoded) == JSON_TRUE) && cbor_reader_done(&r);
    case JSON_STRING:
        return json_string(doc, decoded, &text) &&
               bytes_equal(cbor_text(&r), buffer_bytes(&text)) && cbor_reader_done(&r);
    case JSON_NUMBER:
        return json_int64(doc, decoded, &number) && cbor_integer(&r) == number &&
               cbor_reader_done(&r);
    default:
        return false;
    }
}

/* Whether an item is one to be read: no tag, float, chunks, or integer beyond an int64_t. */
static bool in_subset(const struct json *doc, json_value decoded, struct bytes item)
{
    struct cbor_reader r = cbor_reader(item);
    enum cbor_type type = cbor_peek(&r);
    int64_t number;
    if (type == CBOR_UNSIGNED || type == CBOR_NEGATIVE)
        return json_int64(doc, decoded, &number);
    return type == CBOR_SIMPLE || type == CBOR_TEXT;
}

/* Walks an array as the JSON does, two levels deep at most; the numbers in it must be the same. */
static void assert_same_array(const struct json *doc, json_value array, struct cbor_reader *r)
{
    struct cbor_items items = cbor_enter(r, CBOR_ARRAY);
    json_value element = json_first(doc, array);
    while (cbor_next(r, &items)) {
        assert_true(element != JSON_NONE);
        struct bytes item = cbor_skip(r);
        if (json_type(doc, element) == JSON_NUMBER)
            assert_true(reads_as(doc, element, item));
        element = json_next(doc, array, element);
    }
    assert_true(element == JSON_NONE);
}

static void appendix_a_case(const struct json *doc, json_value v, size_t *read)
{
    BUFFER_AUTO item = vector_hex(doc, json_member(doc, v, "hex"));
    struct cbor_reader r = cbor_reader(buffer_bytes(&item));
    enum cbor_type type = cbor_peek(&r);
    if (type == CBOR_TAG || type == CBOR_INVALID) { /* a float, two bytes of simple value, chunks */
        assert_int_equal(cbor_skip(&r).len, 0);
        assert_int_equal(r.failed, CBOR_BAD_FORM);
        return;
    }
    assert_int_equal(cbor_skip(&r).len, item.len);
    assert_true(cbor_reader_done(&r));
    for (size_t len = 0; len < item.len; len++) {
        r = cbor_reader(bytes_of(item.at, len));
        assert_int_equal(cbor_skip(&r).len, 0);
        assert_true(r.failed);
    }
    json_value decoded = json_member(doc, v, "decoded");
    if (decoded == JSON_NONE)
        return;
    r = cbor_reader(buffer_bytes(&item));
    if (json_type(doc, decoded) == JSON_ARRAY) {
        assert_same_array(doc, decoded, &r);
        assert_true(cbor_reader_done(&r));
        (*read)++;
    } else if (in_subset(doc, decoded, buffer_bytes(&item))) {
        if (!reads_as(doc, decoded, buffer_bytes(&item))) {
            struct bytes raw = json_raw(doc, v);
            fail_msg("%.*s", (int)raw.len, (const char *)raw.at);
        }
        (*read)++;
    }
}

static void appendix_a(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("RFC 8949, appendix A");
    BUFFER_AUTO text = {0};
    struct json doc = vector_json("cbor/appendix_a.json", &text);
    size_t count = 0, read = 0;
    for (json_value v = json_first(&doc, 0); v != JSON_NONE; v = json_next(&doc, 0, v), count++)
        appendix_a_case(&doc, v, &read);
    json_clear(&doc);
    assert_true(count > 80);
    assert_true(read > 35);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes_integers),
        cmocka_unit_test(unsigned_goes_to_the_end_of_64_bits),
        cmocka_unit_test(reads_strings),
        cmocka_unit_test(text_must_be_utf8),
        cmocka_unit_test(reads_simple_values),
        cmocka_unit_test(walks_maps_and_arrays),
        cmocka_unit_test(indefinite_map_of_odd_length_fails),
        cmocka_unit_test(another_type_than_asked_for_fails),
        cmocka_unit_test(skips_one_item_of_any_kind),
        cmocka_unit_test(truncation_at_each_byte_fails),
        cmocka_unit_test(items_of_a_bad_form_fail),
        cmocka_unit_test(failures_are_named),
        cmocka_unit_test(hostile_lengths_fail),
        cmocka_unit_test(strings_in_chunks_are_refused),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(a_failure_stays),
        cmocka_unit_test(what_is_left_over_is_not_done),
        cmocka_unit_test(peek_names_every_type),
        cmocka_unit_test(writes),
        cmocka_unit_test(appendix_a),
    };
    return cmocka_run_group_tests_name("cbor", tests, NULL, NULL);
}
