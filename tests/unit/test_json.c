/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/check.h"

#include <dirent.h>

#include "codec/json_internal.h"
#include "formats/json_print.h"

/* Parses a copy that ends where the text ends, so that a sanitizer sees reads past the end. */
static enum error_code parse_copy(struct bytes text)
{
    struct json doc;
    struct error err = {.code = ERROR_NONE};
    uint8_t *copy = malloc(text.len + (text.len == 0));
    assert_non_null(copy);
    if (text.len > 0)
        memcpy(copy, text.at, text.len);
    json_init(&doc, JSON_DEPTH_MAX);
    doc.value_limit = UINT32_MAX;
    bool ok = json_parse(&doc, bytes_of(copy, text.len), &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    assert_int_equal(ok, doc.count > 0);
    if (!ok)
        assert_true(err.cause[0] != '\0');
    json_clear(&doc);
    free(copy);
    return err.code;
}

static void suite(void **state)
{
    (void)state;
    SKIP_WITHOUT_VECTORS("JSONTestSuite");
    char folder[4200], path[4500];
    snprintf(folder, sizeof folder, "%s/json/test_parsing", vectors_folder());
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    int yes = 0, no = 0, either[2] = {0, 0}, wrong = 0;
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *name = entry->d_name;
        if (strchr("yni", name[0]) == NULL || name[1] != '_')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        struct buffer text = read_whole_file(path);
        bool ok = parse_copy(buffer_bytes(&text)) == ERROR_NONE;
        buffer_clear(&text);
        yes += name[0] == 'y';
        no += name[0] == 'n';
        if (name[0] == 'i')
            either[ok]++;
        /* RFC 8259 lets a parser refuse names that are not unique, and we do. */
        bool duplicate = strncmp(name, "y_object_duplicated_key", 23) == 0;
        bool want = name[0] == 'y' && !duplicate;
        if (name[0] != 'i' && ok != want) {
            print_message("%s %s\n", ok ? "accepted" : "refused", name);
            wrong++;
        }
    }
    closedir(dir);
    print_message("JSONTestSuite: %d to accept, %d to refuse, %d wrong; of the %d left open, %d "
                  "accepted\n",
                  yes, no, wrong, either[0] + either[1], either[1]);
    assert_true(yes > 50 && no > 100);
    assert_int_equal(wrong, 0);
}

struct row {
    const char *text;
    enum error_code want;
};

static void check_rows(const struct row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        enum error_code got = parse_copy(bytes_text(rows[i].text));
        if (got != rows[i].want)
            fail_msg("%s: got %s, want %s", rows[i].text, error_name(got),
                     error_name(rows[i].want));
    }
}

static void grammar(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"0", ERROR_NONE},
        {" \t\r\n{ \"a\" : [ 1 , { } , [ ] , null , true , false ] } \n", ERROR_NONE},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uD83d\\uDe00\"", ERROR_NONE},
        {"\"\\ud800\"", ERROR_NONE},
        {"[-0, -0.5e-7, 1E+9, 123456789012345678901234567890.5]", ERROR_NONE},
        {"", ERROR_NOT_JSON},
        {" ", ERROR_NOT_JSON},
        {"truex", ERROR_NOT_JSON},
        {"tru", ERROR_NOT_JSON},
        {"True", ERROR_NOT_JSON},
        {"NaN", ERROR_NOT_JSON},
        {"01", ERROR_NOT_JSON},
        {"-", ERROR_NOT_JSON},
        {"-x", ERROR_NOT_JSON},
        {"+1", ERROR_NOT_JSON},
        {"1.", ERROR_NOT_JSON},
        {".5", ERROR_NOT_JSON},
        {"1e", ERROR_NOT_JSON},
        {"1e+", ERROR_NOT_JSON},
        {"1 2", ERROR_NOT_JSON},
        {"{}{}", ERROR_NOT_JSON},
        {"{} x", ERROR_NOT_JSON},
        {"]", ERROR_NOT_JSON},
        {"[,]", ERROR_NOT_JSON},
        {"[1,]", ERROR_NOT_JSON},
        {"[1 2]", ERROR_NOT_JSON},
        {"[1}", ERROR_NOT_JSON},
        {"{\"a\"}", ERROR_NOT_JSON},
        {"{\"a\":}", ERROR_NOT_JSON},
        {"{\"a\":1,}", ERROR_NOT_JSON},
        {"{\"a\":1]", ERROR_NOT_JSON},
        {"{a:1}", ERROR_NOT_JSON},
        {"{1:1}", ERROR_NOT_JSON},
        {"{,}", ERROR_NOT_JSON},
        {"'a'", ERROR_NOT_JSON},
        {"\"a", ERROR_NOT_JSON},
        {"\"\\", ERROR_NOT_JSON},
        {"\"\\\"", ERROR_NOT_JSON},
        {"\"\\x\"", ERROR_NOT_JSON},
        {"\"\\u12g4\"", ERROR_NOT_JSON},
        {"\"\\u123\"", ERROR_NOT_JSON},
        {"\"\\U0041\"", ERROR_NOT_JSON},
        {"\xEF\xBB\xBF{}", ERROR_NOT_JSON},
        {"/* */1", ERROR_NOT_JSON},
        {"\f1", ERROR_NOT_JSON},
        {"\xC2\xA0"
         "1",
         ERROR_NOT_JSON},
    };
    check_rows(rows, ARRAY_LEN(rows));
    assert_int_equal(parse_copy(bytes_of("1\0", 2)), ERROR_NOT_JSON);
    assert_int_equal(parse_copy(bytes_of("\"a\0b\"", 5)), ERROR_NOT_JSON);
    assert_int_equal(parse_copy(bytes_of("[1\0]", 4)), ERROR_NOT_JSON);
}

/* Each byte at each offset of a long string: the vector loop and the loop after it agree. */
static void bytes_in_strings(void **state)
{
    (void)state;
    char text[42];
    for (size_t len = 1; len <= 40; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned c = 0; c < 256; c++) {
                memset(text, 'x', sizeof text);
                text[0] = text[len + 1] = '"';
                text[at + 1] = (char)c;
                bool want = c >= ' ' && c < 0x80 && c != '"' && c != '\\';
                if ((parse_copy(bytes_of(text, len + 2)) == ERROR_NONE) != want &&
                    !(c == '\\' && at + 1 < len))
                    fail_msg("byte %02x at %zu of %zu", c, at, len);
            }
        }
    }
}

static void utf8(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"\"\xC2\x80 \xDF\xBF \xE0\xA0\x80 \xED\x9F\xBF \xEE\x80\x80 \xEF\xBF\xBF\"", ERROR_NONE},
        {"\"\xF0\x90\x80\x80 \xF1\x80\x80\x80 \xF4\x8F\xBF\xBF\"", ERROR_NONE},
        {"\"\x80\"", ERROR_NOT_JSON},
        {"\"\xBF\"", ERROR_NOT_JSON},
        {"\"\xC0\x80\"", ERROR_NOT_JSON},
        {"\"\xC1\xBF\"", ERROR_NOT_JSON},
        {"\"\xC2\"", ERROR_NOT_JSON},
        {"\"\xC2x\"", ERROR_NOT_JSON},
        {"\"\xE0\x9F\xBF\"", ERROR_NOT_JSON},
        {"\"\xE1\x80\"", ERROR_NOT_JSON},
        {"\"\xE1\x80", ERROR_NOT_JSON},
        {"\"\xED\xA0\x80\"", ERROR_NOT_JSON},
        {"\"\xED\xBF\xBF\"", ERROR_NOT_JSON},
        {"\"\xF0\x8F\xBF\xBF\"", ERROR_NOT_JSON},
        {"\"\xF4\x90\x80\x80\"", ERROR_NOT_JSON},
        {"\"\xF5\x80\x80\x80\"", ERROR_NOT_JSON},
        {"\"\xF1\x80\x80\"", ERROR_NOT_JSON},
        {"\"\xFE\"", ERROR_NOT_JSON},
        {"\"\xFF\"", ERROR_NOT_JSON},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

static void duplicates(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"{\"a\":1,\"a\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\":1,\"\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"a\":1,\"b\":{},\"\\u0061\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\\u0061\":1,\"a\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\\/\":1,\"/\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\\n\":1,\"\\u000A\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\\u00e9t\\u00E9\":1,\"\xC3\xA9t\xC3\xA9\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"\\ud800\":1,\"\\uD800\":1}", ERROR_DUPLICATE_MEMBER},
        {"[{\"x\":{\"a\":[],\"a\":[]}}]", ERROR_DUPLICATE_MEMBER},
        {"{\"\\u0000\":1,\"\\u0000\":1}", ERROR_DUPLICATE_MEMBER},
        {"{\"a\":{\"a\":{\"a\":1}},\"b\":[{\"a\":1},{\"a\":1}]}", ERROR_NONE},
        {"{\"a\":1,\"A\":1,\"aa\":1,\"a\\u0000\":1,\"\":1}", ERROR_NONE},
        {"{\"\\ud800\":1,\"\\udc00\":1,\"\\ud800\\udc00\":1,\"\\udc00\\ud800\":1}", ERROR_NONE},
        {"{\"\\u00e9\":1,\"e\xCC\x81\":1}", ERROR_NONE},
    };
    check_rows(rows, ARRAY_LEN(rows));
}

/* An object of n members member_name0, member_name1, …, with one more text before its end. */
static void put_members(struct buffer *out, unsigned n, const char *more)
{
    buffer_text(out, "{");
    for (unsigned i = 0; i < n; i++)
        buffer_printf(out, "%s\"member_name%u\":{\"name\":[]}", i > 0 ? "," : "", i);
    buffer_printf(out, "%s}", more);
}

static void duplicates_among_many(void **state)
{
    (void)state;
    for (unsigned n = 1; n < 200; n++) {
        static const char *const more[] = {"", ",\"member_name0\":1",
                                           ",\"membe\\u0072_nam\\u00650\":1", ",\"na\\me\":1"};
        static const enum error_code want[] = {ERROR_NONE, ERROR_DUPLICATE_MEMBER,
                                               ERROR_DUPLICATE_MEMBER, ERROR_NOT_JSON};
        for (size_t i = 0; i < ARRAY_LEN(more); i++) {
            BUFFER_AUTO text;
            buffer_init(&text, 1u << 20);
            put_members(&text, n, more[i]);
            assert_int_equal(parse_copy(buffer_bytes(&text)), want[i]);
        }
    }
}

static void a_million_names(void **state)
{
    (void)state;
    for (int duplicate = 0; duplicate < 2; duplicate++) {
        BUFFER_AUTO text;
        buffer_init(&text, 16u << 20);
        buffer_text(&text, "{\"first\":0");
        for (unsigned i = 0; i < 1000000; i++)
            buffer_printf(&text, ",\"%u\":0", i);
        buffer_text(&text, duplicate ? ",\"\\u0066irst\":0}" : "}");
        assert_false(text.failed);
        assert_int_equal(parse_copy(buffer_bytes(&text)),
                         duplicate ? ERROR_DUPLICATE_MEMBER : ERROR_NONE);
    }
}

/* Names that the parser's hash does not tell apart: they are told apart by their bytes. */
static void names_of_one_hash(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) { /* all differ; the third again; the third with an escape */
        BUFFER_AUTO text;
        char name[16], third[16];
        buffer_init(&text, 1u << 20);
        unsigned found = 0;
        for (unsigned n = 0; found < 50; n++) {
            struct json doc;
            char quoted[20];
            snprintf(name, sizeof name, "0%06x", n);
            snprintf(quoted, sizeof quoted, "\"%s\"", name);
            json_init(&doc, JSON_DEPTH);
            assert_true(json_parse(&doc, bytes_text(quoted), NULL));
            if (json_name_key(&doc, 0) == 0) {
                buffer_printf(&text, "%s%s:[]", found == 0 ? "{" : ",", quoted);
                if (++found == 3)
                    memcpy(third, name, sizeof third);
            }
            json_clear(&doc);
        }
        if (i > 0)
            buffer_printf(&text, i == 1 ? ",\"%s\":0" : ",\"\\u0030%s\":0",
                          i == 1 ? third : third + 1);
        buffer_text(&text, "}");
        assert_int_equal(parse_copy(buffer_bytes(&text)),
                         i == 0 ? ERROR_NONE : ERROR_DUPLICATE_MEMBER);
    }
}

static void values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t values;
    } rows[] = {{"0", 1}, {"[]", 1}, {"[[],0,\"x\"]", 4}, {"{\"a\":1,\"b\":{\"c\":[2]}}", 8}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        for (uint32_t limit = 0; limit < 10; limit++) {
            struct json doc;
            struct error err = {0};
            json_init(&doc, JSON_DEPTH);
            doc.value_limit = limit;
            assert_int_equal(json_parse(&doc, bytes_text(rows[i].text), &err),
                             limit >= rows[i].values);
            if (limit < rows[i].values)
                assert_int_equal(err.code, ERROR_TOO_MANY_VALUES);
            json_clear(&doc);
            assert_int_equal(doc.value_limit, limit);
        }
    }
}

static void depth(void **state)
{
    (void)state;
    static const uint32_t limits[] = {1, 2, JSON_DEPTH, JSON_DEPTH_MAX};
    for (size_t i = 0; i < ARRAY_LEN(limits); i++) {
        for (uint32_t more = 0; more < 2; more++) {
            BUFFER_AUTO text;
            buffer_init(&text, 100000);
            uint32_t levels = limits[i] + more;
            for (uint32_t level = 0; level < levels; level++)
                buffer_text(&text, level % 2 ? "{\"a\":" : "[");
            buffer_text(&text, (levels - 1) % 2 ? "1" : "");
            for (uint32_t level = levels; level-- > 0;)
                buffer_text(&text, level % 2 ? "}" : "]");
            struct json doc;
            struct error err = {.code = ERROR_NONE};
            json_init(&doc, limits[i]);
            assert_int_equal(json_parse(&doc, buffer_bytes(&text), &err), more == 0);
            assert_int_equal(err.code, more ? ERROR_TOO_DEEP : ERROR_NONE);
            json_clear(&doc);
        }
    }
    static const char *const openings[] = {"[", "{\"a\":"};
    for (size_t i = 0; i < ARRAY_LEN(openings); i++) {
        BUFFER_AUTO text;
        buffer_init(&text, 1u << 20);
        for (int n = 0; n < 100000; n++)
            buffer_text(&text, openings[i]);
        assert_int_equal(parse_copy(buffer_bytes(&text)), ERROR_TOO_DEEP);
    }
}

static const char sample[] = "{\"mode\": \"B\", \"pay\\u006coad\": \"00ff\", \"big\": "
                             "123456789012345678901234567890.10e+5, \"list\": [1, {\"x\": []}, "
                             "\"\\ud83d\\ude00\xC3\xA9\\n\", null, true, false], \"empty\": {}}";

static void truncated(void **state)
{
    (void)state;
    assert_int_equal(parse_copy(bytes_text(sample)), ERROR_NONE);
    for (size_t len = 0; len < strlen(sample); len++)
        assert_int_equal(parse_copy(bytes_of(sample, len)), ERROR_NOT_JSON);
}

static void too_long(void **state)
{
    (void)state;
    struct json doc;
    struct error err;
    json_init(&doc, JSON_DEPTH);
    /* Refused by its length: not one byte is read. */
    assert_false(json_parse(&doc, bytes_of(sample, (size_t)JSON_TEXT_MAX + 1), &err));
    assert_int_equal(err.code, ERROR_NOT_JSON);
    json_clear(&doc);
}

static void causes_name_the_place(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *cause;
    } rows[] = {
        {"[1, x]", "no value at byte 4"},
        {"{\"secret\": \"\x01\"}", "malformed string at byte 12"},
        {"{\"secret\"", "unexpected end at byte 9"},
        {"[1] x", "text after the value at byte 4"},
        {"{\"a\": 1, \"a\": 2}", "a second member of the same name at byte 9"},
        {"{\"a\":1,\"b\":1,\"b\":1,\"a\":1}", "a second member of the same name at byte 13"},
        {"{\"a\":1,\"\\u0061\":1,\"a\":1}", "a second member of the same name at byte 7"},
        {"{\"\":1,\"x\":{},\"\":1}", "a second member of the same name at byte 13"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json doc;
        struct error err;
        json_init(&doc, JSON_DEPTH);
        assert_false(json_parse(&doc, bytes_text(rows[i].text), &err));
        assert_string_equal(err.cause, rows[i].cause);
        assert_false(json_parse(&doc, bytes_text(rows[i].text), NULL));
        json_clear(&doc);
    }
}

static void walking(void **state)
{
    (void)state;
    struct json doc;
    struct error err;
    json_init(&doc, JSON_DEPTH);
    for (int again = 0; again < 2; again++) {
        assert_true(json_parse(&doc, bytes_text(sample), &err));
        assert_bytes(json_raw(&doc, 0), sample);
        assert_int_equal(json_type(&doc, 0), JSON_OBJECT);
        assert_bytes(json_raw(&doc, json_member(&doc, 0, "mode")), "\"B\"");
        assert_bytes(json_raw(&doc, json_member(&doc, 0, "payload")), "\"00ff\"");
        assert_bytes(json_raw(&doc, json_member(&doc, 0, "big")),
                     "123456789012345678901234567890.10e+5");
        assert_int_equal(json_member(&doc, 0, "x"), JSON_NONE);
        assert_int_equal(json_member(&doc, 0, "mod"), JSON_NONE);
        json_value list = json_member(&doc, 0, "list");
        assert_int_equal(json_member(&doc, list, "x"), JSON_NONE);
        static const char *const raw[] = {"1",    "{\"x\": []}", "\"\\ud83d\\ude00\xC3\xA9\\n\"",
                                          "null", "true",        "false"};
        static const enum json_type types[] = {JSON_NUMBER, JSON_OBJECT, JSON_STRING,
                                               JSON_NULL,   JSON_TRUE,   JSON_FALSE};
        size_t i = 0;
        for (json_value v = json_first(&doc, list); v != JSON_NONE; v = json_next(&doc, list, v)) {
            assert_bytes(json_raw(&doc, v), raw[i]);
            assert_int_equal(json_type(&doc, v), types[i]);
            i++;
        }
        assert_int_equal(i, ARRAY_LEN(raw));
        static const char *const names[] = {"mode", "payload", "big", "list", "empty"};
        i = 0;
        for (json_value n = json_first(&doc, 0); n != JSON_NONE; n = json_next(&doc, 0, n))
            assert_true(json_string_is(&doc, n, names[i++]));
        assert_int_equal(i, ARRAY_LEN(names));
        assert_int_equal(json_first(&doc, json_member(&doc, 0, "empty")), JSON_NONE);
        assert_int_equal(json_first(&doc, json_member(&doc, 0, "mode")), JSON_NONE);
        assert_false(json_parse(&doc, bytes_text("["), &err));
        assert_int_equal(json_first(&doc, 0), JSON_NONE);
        assert_int_equal(json_member(&doc, 0, "mode"), JSON_NONE);
    }
    json_clear(&doc);
}

static void strings(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want; /* NULL: not UTF-8 */
    } rows[] = {
        {"\"\"", ""},
        {"\"abc\"", "abc"},
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"\"a\\u0041\\u00e9\\u20AC\\uD83D\\uDE00z\"", "aA\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"},
        {"\"\\uffff\\udbff\\udfff\"", "\xEF\xBF\xBF\xF4\x8F\xBF\xBF"},
        {"\"a\\ud800\"", NULL},
        {"\"\\ud800x\"", NULL},
        {"\"\\udc00\"", NULL},
        {"\"\\ud800\\u0041\"", NULL},
        {"\"\\ud800\\ud800\\udc00\"", NULL},
        {"1", NULL},
        {"[\"a\"]", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json doc;
        struct error err;
        BUFFER_AUTO out;
        buffer_init(&out, 100);
        buffer_text(&out, "=");
        json_init(&doc, JSON_DEPTH);
        assert_true(json_parse(&doc, bytes_text(rows[i].text), &err));
        assert_int_equal(json_string(&doc, 0, &out), rows[i].want != NULL);
        assert_bytes(bytes_from(buffer_bytes(&out), 1), rows[i].want != NULL ? rows[i].want : "");
        if (rows[i].want != NULL)
            assert_true(json_string_is(&doc, 0, rows[i].want));
        assert_false(json_string_is(&doc, 0, "other"));
        assert_false(json_string_is(&doc, 0, "a"));
        json_clear(&doc);
    }
    struct json doc;
    struct error err;
    BUFFER_AUTO small;
    buffer_init(&small, 2);
    json_init(&doc, JSON_DEPTH);
    assert_true(json_parse(&doc, bytes_text("\"abc\""), &err));
    assert_false(json_string(&doc, 0, &small));
    buffer_reset(&small);
    assert_true(json_parse(&doc, bytes_text("\"a\\u0062c\""), &err));
    assert_false(json_string(&doc, 0, &small));
    json_clear(&doc);
}

static void integers(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool ok;
        int64_t want;
    } rows[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"42", true, 42},
        {"-7", true, -7},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"18446744073709551616", false, 0},
        {"100000000000000000000000", false, 0},
        {"1.0", false, 0},
        {"1e2", false, 0},
        {"1E2", false, 0},
        {"\"1\"", false, 0},
        {"true", false, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json doc;
        struct error err;
        int64_t got = 0;
        json_init(&doc, JSON_DEPTH);
        assert_true(json_parse(&doc, bytes_text(rows[i].text), &err));
        assert_int_equal(json_int64(&doc, 0, &got), rows[i].ok);
        assert_true(got == rows[i].want);
        json_clear(&doc);
    }
}

static void names_are_equal_after_unescaping(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        bool same;
    } rows[] = {
        {"\"ab\"", "\"ab\"", true},
        {"\"a\\u0062\"", "\"\\u0061b\"", true},
        {"\"\\ud83d\\ude00\"", "\"\xF0\x9F\x98\x80\"", true},
        {"\"\\n\"", "\"\\u000a\"", true},
        {"\"\"", "\"\"", true},
        {"\"\"", "\"a\"", false},
        {"\"ab\"", "\"a\"", false},
        {"\"a\\u0000\"", "\"a\"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct json doc;
        BUFFER_AUTO text;
        buffer_init(&text, 100);
        buffer_printf(&text, "[%s,%s]", rows[i].a, rows[i].b);
        json_init(&doc, JSON_DEPTH);
        assert_true(json_parse(&doc, buffer_bytes(&text), NULL));
        assert_int_equal(json_compare_names(&doc, 1, 2) == 0, rows[i].same);
        assert_int_equal(json_name_key(&doc, 1) == json_name_key(&doc, 2), rows[i].same);
        int order = json_compare_names(&doc, 1, 2), other = json_compare_names(&doc, 2, 1);
        assert_true((order < 0) == (other > 0) && (order == 0) == (other == 0));
        json_clear(&doc);
    }
}

static void writes(void **state)
{
    (void)state;
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    struct json_writer w = json_writer(&out);
    json_object(&w, NULL);
    json_text(&w, "text", "a\"\\\n\t\r\b\f\x01\x1f/\x7f\xC3\xA9");
    json_array(&w, "list");
    json_integer(&w, NULL, INT64_MIN);
    json_integer(&w, NULL, 0);
    json_boolean(&w, NULL, true);
    json_object(&w, NULL);
    json_end(&w);
    json_null(&w, NULL);
    json_end(&w);
    json_boolean(&w, "no", false);
    json_hex(&w, "hex", bytes_text("\x01\xfe"));
    json_base64(&w, "base64", bytes_text("fo"));
    json_verbatim(&w, "raw", bytes_text("1.50"));
    json_text_named(&w, bytes_text("a\"b"), bytes_of("x\0\xC3(\xFF", 5));
    json_text_bytes(&w, "none", bytes_of(NULL, 0));
    json_end(&w);
    assert_false(out.failed);
    assert_bytes(buffer_bytes(&out),
                 "{\"text\": \"a\\\"\\\\\\n\\t\\r\\b\\f\\u0001\\u001f/\x7f\xC3\xA9\", "
                 "\"list\": [-9223372036854775808, 0, true, {}, null], \"no\": false, "
                 "\"hex\": \"01fe\", \"base64\": \"Zm8=\", \"raw\": 1.50, "
                 "\"a\\\"b\": \"x\\u0000\xEF\xBF\xBD(\xEF\xBF\xBD\", \"none\": \"\"}");
    assert_int_equal(parse_copy(buffer_bytes(&out)), ERROR_NONE);
}

/* Whatever goes in as UTF-8 comes back through the parser. */
static void round_trip(void **state)
{
    (void)state;
    BUFFER_AUTO all, out, back;
    buffer_init(&all, 1000);
    buffer_init(&out, 10000);
    buffer_init(&back, 1000);
    for (unsigned c = 0; c < 128; c++)
        buffer_byte(&all, (uint8_t)c);
    buffer_text(&all, "\xC2\x80\xDF\xBF\xE0\xA0\x80\xED\x9F\xBF\xEF\xBF\xBF\xF0\x90\x80\x80"
                      "\xF4\x8F\xBF\xBF");
    struct json_writer w = json_writer(&out);
    json_text_bytes(&w, NULL, buffer_bytes(&all));
    struct json doc;
    struct error err;
    json_init(&doc, JSON_DEPTH);
    assert_true(json_parse(&doc, buffer_bytes(&out), &err));
    assert_true(json_string(&doc, 0, &back));
    assert_true(bytes_equal(buffer_bytes(&all), buffer_bytes(&back)));
    json_clear(&doc);
}

static void writer_keeps_its_bounds(void **state)
{
    (void)state;
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    struct json_writer w = json_writer(&out);
    for (int i = 0; i < JSON_WRITER_DEPTH - 1; i++)
        json_array(&w, NULL);
    assert_false(out.failed);
    json_array(&w, NULL);
    assert_true(out.failed);
    buffer_reset(&out);
    w = json_writer(&out);
    json_end(&w);
    assert_true(out.failed);
    BUFFER_AUTO small;
    buffer_init(&small, 5);
    w = json_writer(&small);
    json_hex(&w, NULL, bytes_text("abcd"));
    assert_true(small.failed);
}

static void indents(void **state)
{
    (void)state;
    static const struct {
        const char *compact, *lines;
    } rows[] = {
        {"{}", "{}"},
        {"5", "5"},
        {"{\"a\": [1, {\"b\": []}], \"c\": {}}",
         "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n  \"c\": {}\n}"},
        {"[\"{[, \\\"]}\\\\\", \"x\"]", "[\n  \"{[, \\\"]}\\\\\",\n  \"x\"\n]"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buffer out = {.limit = 1000};
        json_indented(&out, bytes_text(rows[i].compact));
        assert_bytes(buffer_bytes(&out), rows[i].lines);
        buffer_clear(&out);
    }
    struct buffer small = {.limit = 10};
    json_indented(&small, bytes_text("[1, 2, 3, 4, 5]"));
    assert_true(small.failed);
    buffer_clear(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(suite),
        cmocka_unit_test(grammar),
        cmocka_unit_test(bytes_in_strings),
        cmocka_unit_test(utf8),
        cmocka_unit_test(duplicates),
        cmocka_unit_test(duplicates_among_many),
        cmocka_unit_test(a_million_names),
        cmocka_unit_test(names_of_one_hash),
        cmocka_unit_test(depth),
        cmocka_unit_test(values),
        cmocka_unit_test(truncated),
        cmocka_unit_test(too_long),
        cmocka_unit_test(causes_name_the_place),
        cmocka_unit_test(walking),
        cmocka_unit_test(strings),
        cmocka_unit_test(integers),
        cmocka_unit_test(names_are_equal_after_unescaping),
        cmocka_unit_test(writes),
        cmocka_unit_test(indents),
        cmocka_unit_test(round_trip),
        cmocka_unit_test(writer_keeps_its_bounds),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
