/* SPDX-License-Identifier: Apache-2.0 */
/* Text that people write, files of it, and the encryption context in it. */
#include "tests/unit/check.h"

#include <unistd.h>

#include "formats/arn.h"
#include "formats/text.h"
#include "host/context.h"
#include "system/file.h"

static void trims_blanks_only(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},    {" ", ""},   {"a", "a"},         {" \t\r\na b\n\r\t ", "a b"},
        {"a ", "a"}, {" a", "a"}, {"\va\f", "\va\f"}, {"\n\n", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_bytes(text_trim(bytes_text(rows[i].text)), rows[i].want);
}

static void takes_line_after_line(void **state)
{
    (void)state;
    struct bytes rest = bytes_text("one\n\ntwo\r\nthree"), line;
    assert_true(text_line(&rest, &line));
    assert_bytes(line, "one");
    assert_true(text_line(&rest, &line));
    assert_bytes(line, "");
    assert_true(text_line(&rest, &line));
    assert_bytes(line, "two\r");
    assert_true(text_line(&rest, &line));
    assert_bytes(line, "three");
    assert_false(text_line(&rest, &line));
    rest = bytes_text("end\n"); /* the line feed ends a line and begins none */
    assert_true(text_line(&rest, &line));
    assert_false(text_line(&rest, &line));
}

static void unquotes_pairs_of_quotes(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"\"a\"", "a"}, {"'a'", "a"}, {"''", ""},       {"a", "a"}, {"'", "'"},
        {"'a", "'a"},   {"a'", "a'"}, {"'a\"", "'a\""}, {"", ""},   {"'a'b'", "a'b"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_bytes(text_unquote(bytes_text(rows[i].text)), rows[i].want);
}

static void ends_a_paragraph_at_a_blank_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},
        {"a", "a"},
        {"a\nb", "a\nb"},
        {"a\nb\n\nc", "a\nb"},
        {"a\n\nb\n\nc", "a"},
        {"a\n", "a\n"},
        {"\n\na", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_bytes(text_paragraph(bytes_text(rows[i].text)), rows[i].want);
}

static void splits_pairs_at_the_first_sign(void **state)
{
    (void)state;
    static const struct {
        const char *text, *name, *value;
    } rows[] = {
        {"a=b", "a", "b"},
        {"a=", "a", ""},
        {"a=b=c", "a", "b=c"},
        {" a = b ", " a ", " b "},
    };
    struct text_pair pair;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_true(text_pair(&pair, rows[i].text));
        assert_bytes(pair.name, rows[i].name);
        assert_bytes(pair.value, rows[i].value);
    }
    assert_false(text_pair(&pair, ""));
    assert_false(text_pair(&pair, "a"));
    assert_false(text_pair(&pair, "=b"));
}

static void checks_encryption_context(void **state)
{
    (void)state;
    static const char *const good[] = {"a=b", "a=", "wh\u00e4t=\u00fc", "a=b=c", "a=${x}"};
    static const char *const bad[] = {"",      "a",      "=b",     "a=\x01",
                                      "a\n=b", "a=\x7f", "a=\xff", "\xc3=b"};
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_true(context_check("--context", good[i], &err));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        assert_false(context_check("--context", bad[i], &err));
        assert_int_equal(err.code, ERROR_USAGE);
    }
}

/* A file of exactly the limit is read; one byte more is refused. */
static void reads_files_up_to_the_limit(void **state)
{
    (void)state;
    char path[] = "/tmp/test_text.XXXXXX";
    struct error err;
    struct buffer out;
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_true(file_replace(path, bytes_text("12345678"), 0600, &err));
    for (size_t limit = 0; limit < 12; limit++) {
        buffer_init(&out, limit);
        assert_int_equal(file_read(path, &out, &err), limit >= 8);
        if (limit >= 8)
            assert_bytes(buffer_bytes(&out), "12345678");
        else
            assert_int_equal(err.code, ERROR_USAGE);
        buffer_clear(&out);
    }
    assert_int_equal(unlink(path), 0);
    buffer_init(&out, 8);
    assert_false(file_read(path, &out, &err));
    assert_int_equal(err.code, ERROR_SYSTEM);
    assert_non_null(strstr(err.cause, path));
    buffer_clear(&out);
}

static void shows_text_as_it_is(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } rows[] = {
        {"", ""},
        {"plain ~", "plain ~"},
        {"gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x94\x91", "gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x94\x91"},
        {"a\nb\t\x1b[31m\x7f", "a\\x0ab\\x09\\x1b[31m\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"}, /* CSI as one character */
        {"\xe2\x80\xae"
         "fdp",
         "\\xe2\\x80\\xae"
         "fdp"}, /* right-to-left override */
        {"\xe2\x80\xa8|\xe2\x81\xa6", "\\xe2\\x80\\xa8|\\xe2\\x81\\xa6"},
        {"\xe2\x80\x93", "\xe2\x80\x93"}, /* a dash */
        {"\xff\xc3", "\\xff\\xc3"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO out;
        buffer_init(&out, 100);
        append_escaped(&out, bytes_text(rows[i].text));
        assert_bytes(buffer_bytes(&out), rows[i].want);
    }
}

static void judges_arns(void **state)
{
    (void)state;
    enum { OTHER, PRINCIPAL, KEY_ARN };
    static const struct {
        const char *text;
        int kind;
    } rows[] = {
        {"arn:aws:iam::111122223333:root", PRINCIPAL},
        {"arn:aws:iam::111122223333:role/enclave", PRINCIPAL},
        {"arn:aws-cn:iam::111122223333:role/path/to/enclave", PRINCIPAL},
        {"arn:aws:iam::111122223333:user/admin", PRINCIPAL},
        {"arn:aws:sts::111122223333:assumed-role/enclave/i-0123", PRINCIPAL},
        {"arn:aws:sts::111122223333:federated-user/bob", PRINCIPAL},
        {"arn:aws:sts::111122223333:assumed-role/enclave", OTHER},
        {"arn:aws:sts::111122223333:assumed-role/enclave/", OTHER},
        {"arn:aws:sts::111122223333:role/enclave", OTHER},
        {"arn:aws:iam::111122223333:role/", OTHER},
        {"arn:aws:iam::111122223333:group/x", OTHER},
        {"arn:aws:iam::11112222333:root", OTHER},
        {"arn:aws:iam::11112222333x:root", OTHER},
        {"arn:aws:iam:us-east-1:111122223333:root", OTHER},
        {"arn:aws:iam::111122223333:role/*", OTHER},
        {"aws:iam::111122223333:root", OTHER},
        {"arn:gcp:iam::111122223333:root", OTHER},
        {"111122223333", OTHER},
        {"enclave", OTHER},
        {"*", OTHER},
        {"", OTHER},
        {"arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", KEY_ARN},
        {"arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-0", KEY_ARN},
        {"arn:aws:kms:us-east-1:111122223333:alias/tsk", OTHER},
        {"arn:aws:kms::111122223333:key/x", OTHER},
        {"arn:aws:kms:us-east-1:111122223333:key/", OTHER},
        {"arn:aws:kms:us-east-1:111122223333:key/a/b", OTHER},
        {"arn:aws:kms:evil.example/:111122223333:key/a", OTHER},
        {"arn:aws:kms:us-east-1:111122223333:key/a b", OTHER},
        {"1234abcd-12ab-34cd-56ef-1234567890ab", OTHER},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        assert_int_equal(arn_is_principal(bytes_text(rows[i].text)), rows[i].kind == PRINCIPAL);
        assert_int_equal(arn_is_key(bytes_text(rows[i].text)), rows[i].kind == KEY_ARN);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trims_blanks_only),
        cmocka_unit_test(takes_line_after_line),
        cmocka_unit_test(unquotes_pairs_of_quotes),
        cmocka_unit_test(ends_a_paragraph_at_a_blank_line),
        cmocka_unit_test(splits_pairs_at_the_first_sign),
        cmocka_unit_test(checks_encryption_context),
        cmocka_unit_test(reads_files_up_to_the_limit),
        cmocka_unit_test(shows_text_as_it_is),
        cmocka_unit_test(judges_arns),
    };
    return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
