/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of AWS STS: what is read of them, and what is refused. */
#include "host/credentials/sts_answer.h"
#include "tests/unit/check.h"

#define HEAD "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"

struct answer {
    struct buffer code, message;
    struct sts_element elements[2];
};

static bool read_answer(struct answer *a, struct bytes text)
{
    buffer_init(&a->code, 8);
    buffer_init(&a->message, 64);
    a->elements[0] = (struct sts_element){"R/E/Code", &a->code, false};
    a->elements[1] = (struct sts_element){"R/E/Message", &a->message, false};
    return sts_answer_read(text, a->elements, 2);
}

static void clear(struct answer *a)
{
    buffer_clear(&a->code);
    buffer_clear(&a->message);
}

static void test_read(void **state)
{
    (void)state;
    static const struct {
        const char *text, *code, *message; /* NULL: not found */
    } cases[] = {
        {"<R><E><Code>a</Code><Message>b</Message></E></R>", "a", "b"},
        {HEAD "<R xmlns=\"https://sts\">\n <E> <Code x='y'>a</Code></E>\n</R>\n", "a", NULL},
        {"<R><E><Message>&lt;&amp;&gt;&#65; \xc3\xbc</Message></E></R>", NULL, "<&>A \xc3\xbc"},
        {"<R><E><Code>a<!-- no -->b<![CDATA[<c>]]></Code></E></R>", "ab<c>", NULL},
        {"<R><E><Code/></E></R>", "", NULL},
        {"<R><Code>x</Code><F><Code>y</Code></F><E><E><Code>z</Code></E></E></R>", NULL, NULL},
        {"<R><E><Code>12345678</Code></E></R>", "12345678", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a;
        assert_true(read_answer(&a, bytes_text(cases[i].text)));
        assert_int_equal(a.elements[0].found, cases[i].code != NULL);
        assert_int_equal(a.elements[1].found, cases[i].message != NULL);
        if (cases[i].code != NULL)
            assert_true(bytes_equal_text(buffer_bytes(&a.code), cases[i].code));
        if (cases[i].message != NULL)
            assert_true(bytes_equal_text(buffer_bytes(&a.message), cases[i].message));
        clear(&a);
    }
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "",
        " ",
        "{\"Code\": \"json\"}",
        "<R><E><Code>a</Code></E>",                   /* no end */
        "<R><E><Code>a</Code></E></R><R/>",           /* two roots */
        "<R><E><Code>a</E></Code></R>",               /* crossed */
        "<R><E><Code>a</Code><Code>b</Code></E></R>", /* twice */
        "<R><E><Code>a<x/></Code></E></R>",           /* an element inside */
        "<R><E><Code>123456789</Code></E></R>",       /* longer than its limit */
        "<R><E><Code>&nbsp;</Code></E></R>",          /* an entity that XML does not have */
        "<R><E><Code>\xff</Code></E></R>",            /* not UTF-8 */
        "<R><E><Code>\xed\xa0\x80</Code></E></R>",    /* a surrogate */
        "<!DOCTYPE R><R><E><Code>a</Code></E></R>",
        "<!DOCTYPE R [<!ENTITY a 'b'>]><R><E><Code>&a;</Code></E></R>",
        "<!DOCTYPE R SYSTEM 'file:///etc/passwd'><R/>",
        "<a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a><a></a></a></a></a></a></a></a></a></a></"
        "a>"
        "</a></a></a></a></a></a></a>", /* 17 deep */
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct answer a;
        assert_false(read_answer(&a, bytes_text(cases[i])));
        clear(&a);
    }
}

/* Whatever is cut off, it is refused and reads nothing beyond its end. */
static void test_cut(void **state)
{
    (void)state;
    static const char text[] = HEAD "<R><E><Code>&#x41;</Code><Message>b</Message></E></R>";
    for (size_t len = 0; len < sizeof text - 1; len++) {
        struct answer a;
        uint8_t *copy = malloc(len > 0 ? len : 1);
        memcpy(copy, text, len);
        assert_false(read_answer(&a, bytes_of(copy, len)));
        free(copy);
        clear(&a);
    }
}

static void test_limits(void **state)
{
    (void)state;
    struct answer a;
    struct buffer text;
    buffer_init(&text, 2 * STS_ANSWER_MAX);
    buffer_text(&text, "<R>");
    while (text.len < STS_ANSWER_MAX - 4)
        buffer_byte(&text, ' ');
    buffer_text(&text, "</R>");
    assert_int_equal(text.len, STS_ANSWER_MAX);
    assert_true(read_answer(&a, buffer_bytes(&text)));
    clear(&a);
    buffer_byte(&text, ' ');
    assert_false(read_answer(&a, buffer_bytes(&text)));
    clear(&a);
    buffer_reset(&text); /* names whose path would not fit */
    for (int i = 0; i < 8; i++) {
        buffer_byte(&text, '<');
        for (int n = 0; n < 80; n++)
            buffer_byte(&text, 'a');
        buffer_byte(&text, '>');
    }
    assert_false(read_answer(&a, buffer_bytes(&text)));
    clear(&a);
    buffer_reset(&text); /* one that is the root, and ends where it begins */
    buffer_byte(&text, '<');
    for (int n = 0; n < 600; n++)
        buffer_byte(&text, 'a');
    buffer_text(&text, "/>");
    assert_false(read_answer(&a, buffer_bytes(&text)));
    clear(&a);
    buffer_clear(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
