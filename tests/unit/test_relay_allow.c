/* SPDX-License-Identifier: Apache-2.0 */
/* Destinations and the list of those that a relay may lead to. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/relay/relay_allow.h"
#include "tests/unit/check.h"

static void destinations(void **state)
{
    (void)state;
    static const struct {
        const char *text, *as; /* as: NULL where it is refused */
        bool numeric;
    } cases[] = {
        {"kms.eu-central-1.amazonaws.com:443", "kms.eu-central-1.amazonaws.com:443", false},
        {"KMS.Example.COM:1", "kms.example.com:1", false},
        {"localhost:65535", "localhost:65535", false},
        {"127-0-0-1:443", "127-0-0-1:443", false},
        {"a_b.c:80", "a_b.c:80", false},
        {"10.0.0.1:443", "10.0.0.1:443", true},
        {"[2001:DB8::0:1]:443", "[2001:db8::1]:443", true},
        {"[::ffff:169.254.169.254]:80", "169.254.169.254:80", true},
        {"example.com", NULL, false},
        {"example.com:", NULL, false},
        {"example.com:0", NULL, false},
        {"example.com:65536", NULL, false},
        {"example.com:000443", NULL, false},
        {"example.com:44x", NULL, false},
        {":443", NULL, false},
        {"", NULL, false},
        {".com:443", NULL, false},
        {"example.com.:443", NULL, false},
        {"a..b:443", NULL, false},
        {"-a.b:443", NULL, false},
        {"a-.b:443", NULL, false},
        {"a b:443", NULL, false},
        {"\xc3\xa4.de:443", NULL, false},
        {"*.example.com:443", NULL, false},
        {"tcp:example.com:443", NULL, false},
        {"2001:db8::1:443", NULL, false},
        {"[10.0.0.1]:443", NULL, false},
        {"[example.com]:443", NULL, false},
        {"[fe80::1%eth0]:443", NULL, false},
        /* what the resolver would take for 127.0.0.1 */
        {"127.1:443", NULL, false},
        {"2130706433:443", NULL, false},
        {"0x7f000001:443", NULL, false},
        {"0x7f.1:443", NULL, false},
        {"256.0.0.1:443", NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct destination to;
        struct error err = {0};
        char text[DESTINATION_TEXT_SIZE];
        bool ok = destination_parse(&to, bytes_text(cases[i].text), &err);
        if (ok != (cases[i].as != NULL))
            fail_msg("%s: %s", cases[i].text, ok ? "accepted" : err.cause);
        if (!ok) {
            assert_int_equal(err.code, ERROR_USAGE);
            assert_true(strstr(err.cause, "is not a destination: ") != NULL);
            continue;
        }
        destination_text(&to, text);
        assert_string_equal(text, cases[i].as);
        assert_int_equal(to.numeric, cases[i].numeric);
    }
}

static void lengths(void **state)
{
    (void)state;
    struct destination to;
    struct error err = {0};
    char text[400];
    for (size_t label = 62; label <= 64; label++) {
        int n = snprintf(text, sizeof text, "%0*d.example:443", (int)label, 0);
        assert_int_equal(destination_parse(&to, bytes_of(text, (size_t)n), &err), label <= 63);
    }
    for (size_t len = 252; len <= 255; len++) {
        for (size_t i = 0; i < len; i++)
            text[i] = i % 2 == 0 ? 'a' : '.';
        text[len - 1] = 'b'; /* two letters at the end where len is even */
        memcpy(text + len, ":443", 5);
        if (len % 2 == 0)
            text[len - 2] = 'a';
        assert_int_equal(destination_parse(&to, bytes_text(text), &err), len <= 253);
    }
}

static bool allowed(const struct allow_list *list, const char *text)
{
    struct destination to;
    struct error err = {0};
    if (!destination_parse(&to, bytes_text(text), &err))
        fail_msg("%s", err.cause);
    return allow_has(list, &to);
}

static void endpoints_of_kms(void **state)
{
    (void)state;
    static const struct {
        const char *to;
        bool allowed;
    } cases[] = {
        {"kms.eu-central-1.amazonaws.com:443", true},
        {"KMS.us-gov-west-1.AMAZONAWS.com:443", true},
        {"kms-fips.us-east-1.amazonaws.com:443", true},
        {"kms.us-east-1.api.aws:443", true},
        {"kms.cn-north-1.amazonaws.com.cn:443", true},
        {"kms.eusc-de-east-1.amazonaws.eu:443", true},
        {"vpce-0a1b-2c3d.kms.eu-central-1.vpce.amazonaws.com:443", true},
        {"kms.eu-central-1.amazonaws.com:80", false},
        {"kms.amazonaws.com:443", false},
        {"kms.a.b.amazonaws.com:443", false},
        {"s3.eu-central-1.amazonaws.com:443", false},
        {"xkms.eu-central-1.amazonaws.com:443", false},
        {"kms.eu-central-1.amazonaws.com.evil.org:443", false},
        {"kms.eu-central-1.evil-amazonaws.com:443", false},
        {"x.kms.eu-central-1.amazonaws.com:443", false},
        {"vpce-1.s3.eu-central-1.vpce.amazonaws.com:443", false},
        {"localhost:443", false},
        {"169.254.169.254:80", false},
        {"52.94.1.1:443", false},
    };
    struct allow_list list = {0};
    struct error err = {0};
    assert_true(allow_add_kms(&list, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (allowed(&list, cases[i].to) != cases[i].allowed)
            fail_msg("%s", cases[i].to);
    allow_clear(&list);
}

static void patterns(void **state)
{
    (void)state;
    struct allow_list list = {0};
    struct error err = {0};
    assert_true(allow_add(&list, bytes_text("*.10.1.1a:443"), &err));
    assert_true(allow_add(&list, bytes_text("10.0.0.1:443"), &err));
    assert_true(allow_add(&list, bytes_text("[2001:db8:0::1]:443"), &err));
    assert_true(allowed(&list, "x.10.1.1a:443"));
    assert_false(allowed(&list, "10.1.1a:443"));
    assert_true(allowed(&list, "[::ffff:10.0.0.1]:443"));
    assert_false(allowed(&list, "10.0.0.2:443"));
    assert_true(allowed(&list, "[2001:db8::1]:443"));
    assert_false(allow_add(&list, bytes_text("*:443"), &err));
    assert_false(allow_add(&list, bytes_text("*.*:443"), &err));
    assert_false(allow_add(&list, bytes_text("k*.com:443"), &err));
    assert_false(allow_add(&list, bytes_text("*.0.0.1:443"), &err));
    assert_int_equal(list.count, 3);
    allow_clear(&list);
}

/* An open list of labels never lets an address in. */
static void addresses_match_no_pattern(void **state)
{
    (void)state;
    struct allow_list list = {0};
    struct error err = {0};
    assert_true(allow_add(&list, bytes_text("*.*.*.aws:443"), &err));
    assert_false(allowed(&list, "10.0.0.1:443"));
    allow_clear(&list);
}

static void files(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t count;      /* 0: refused */
        const char *cause; /* a part of it */
    } cases[] = {
        {"a.com:443\n", 1, NULL},
        {"# only KMS\r\n\r\n  a.com:443 # here\r\nb.com:8443", 2, NULL},
        {"allowlist:\n- {address: kms.us-east-1.amazonaws.com, port: 443}\n"
         "- {address: 10.0.0.1, port: 80}\n",
         2, NULL},
        {"---\nallowlist:\n  - { port: '443', address: \"::1\" } # v6\n", 1, NULL},
        {"allowlist:\n- address: a.com\n  port: 443\n", 1, NULL},
        {"# block\nallowlist:\n  -\n    port: 443\n    address: >-\n      a.com\n", 1, NULL},
        {"allowlist:\n- {address: a.com,\n   port: 443}\n", 1, NULL},
        {"{\"allowlist\": [{\"address\": \"a.com\", \"port\": 443}]}", 1, NULL},
        {"{allowlist: [{address: a.com, port: 443}]}", 1, NULL},
        {"%YAML 1.1\n---\nallowlist: [{address: a.com, port: 443}]\n...\n", 1, NULL},
        {"\xef\xbb\xbf"
         "allowlist:\r\n- {address: a.com, port: 443}\r\n",
         1, NULL},
        {"? allowlist\n: - {address: a.com, port: 443}\n", 1, NULL},
        {"allowlist:\n- &a {address: a.com, port: &p 443}\n- *a\n- {address: b.com, port: *p}\n", 3,
         NULL},
        {"allowlist:\n- {address: a.com, port: 0x1bb}\n- {address: a.com, port: 0o673}\n"
         "- {address: a.com, port: +443}\n",
         3, NULL},
        /* what vsock-proxy does not look at */
        {"name: x\nallowlist:\n- {address: a.com, port: 443, name: [x]}\n", 1, NULL},
        {"allowlist:\n- {address: a.com, port: 443}\n---\nallowlist: 1\n", 1, NULL},
        {"", 0, "does not name a destination"},
        {"# nothing\n", 0, "does not name a destination"},
        {"allowlist: []\n", 0, "does not name a destination"},
        {"allowlist:\n", 0, "neither a list"},
        {"a.com:443\na.com\n", 0, "line 2: "},
        {"a.com:443\n\n\nb.com:0", 0, "line 4: "},
        {"a.com:443\nallowlist:\n", 0, "line 2: "},
        {"a.com\n", 0, "line 1: "},
        {"allowlist:\n- {address: a.com}\n", 0, "line 2: an entry"},
        {"allowlist:\n- {port: 443}\n", 0, "line 2: an entry"},
        {"allowlist:\n- {address: a.com, address: b.com, port: 443}\n", 0, "each once"},
        {"allowlist:\n- {address: a.com, port: 443}\n- {address: \"\", port: 443}\n", 0,
         "line 3: \"\" is not a destination: the host is missing"},
        {"allowlist:\n- {address: \"a\\nb\", port: 443}\n", 0, "line 2: \"a\" is not"},
        {"allowlist:\n- {address: a.com, port: 0}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: 65536}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: 18446744073709551617}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: -443}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: 0x0x1}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: \"443\\0\"}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: ' 443'}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: a.com, port: https}\n", 0, "the port is a number"},
        {"allowlist:\n- {address: [a.com], port: 443}\n", 0, "line 2: an entry"},
        {"allowlist:\n- {address: a.com, port: 443\n", 0, "the YAML is wrong: "},
        {"allowlist:\n- &a [*b]\n", 0, "line 2: the YAML is wrong: "},
        {"allowlist:\n- &a [*a]\n", 0, "line 2: an entry"},
        {"allowlist:\n- {}\n", 0, "line 2: an entry"},
        {"allowlist:\n-\n", 0, "line 2: an entry"},
        {"allowlist:\n- a.com:443\n", 0, "line 2: an entry"},
        {"allowlist:\n- {address: a, port: 1}\nallowlist:\n- {address: b, port: 1}\n", 0,
         "neither a list"},
        {"- {address: a.com, port: 443}\n", 0, "neither a list"},
        {"whitelist:\n", 0, "neither a list"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct allow_list list = {0};
        struct error err = {0};
        bool ok = allow_add_file(&list, bytes_text(cases[i].text), "FILE", &err);
        if (ok != (cases[i].count > 0) || (ok && list.count != cases[i].count))
            fail_msg("case %zu: %zu entries, %s", i, list.count, err.cause);
        if (!ok) {
            assert_int_equal(err.code, ERROR_CONFIG);
            if (strstr(err.cause, cases[i].cause) == NULL || strncmp(err.cause, "FILE", 4) != 0)
                fail_msg("case %zu: %s", i, err.cause);
        }
        allow_clear(&list);
    }
}

static void no_more_than_the_limit(void **state)
{
    (void)state;
    struct allow_list list = {0};
    struct error err = {0};
    char text[64];
    for (int i = 0; i < ALLOW_ENTRIES_MAX; i++) {
        snprintf(text, sizeof text, "h%d.example:443", i);
        assert_true(allow_add(&list, bytes_text(text), &err));
    }
    assert_true(allowed(&list, "h511.example:443"));
    assert_false(allow_add(&list, bytes_text("more.example:443"), &err));
    assert_true(strstr(err.cause, "at most 512") != NULL);
    allow_clear(&list);
}

static bool reachable(const struct allow_list *list, const char *to, const char *address)
{
    struct destination destination;
    struct error err = {0};
    struct sockaddr_in in4 = {.sin_family = AF_INET};
    struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
    if (!destination_parse(&destination, bytes_text(to), &err))
        fail_msg("%s", err.cause);
    if (inet_pton(AF_INET, address, &in4.sin_addr) == 1)
        return allow_has_address(list, &destination, (const struct sockaddr *)&in4);
    assert_int_equal(inet_pton(AF_INET6, address, &in6.sin6_addr), 1);
    return allow_has_address(list, &destination, (const struct sockaddr *)&in6);
}

/* Where a name leads: private networks are where VPC endpoints are; this machine is not. */
static void addresses_of_names(void **state)
{
    (void)state;
    static const struct {
        const char *to, *address;
        bool allowed;
    } cases[] = {
        {"kms.a.amazonaws.com:443", "52.94.1.1", true},
        {"kms.a.amazonaws.com:443", "10.1.2.3", true},
        {"kms.a.amazonaws.com:443", "172.31.0.1", true},
        {"kms.a.amazonaws.com:443", "192.168.1.1", true},
        {"kms.a.amazonaws.com:443", "2600:1f18::1", true},
        {"kms.a.amazonaws.com:443", "fd12:3456::1", true},
        {"kms.a.amazonaws.com:443", "127.0.0.1", false},
        {"kms.a.amazonaws.com:443", "127.9.9.9", false},
        {"kms.a.amazonaws.com:443", "0.0.0.0", false},
        {"kms.a.amazonaws.com:443", "169.254.169.254", false},
        {"kms.a.amazonaws.com:443", "224.0.0.1", false},
        {"kms.a.amazonaws.com:443", "255.255.255.255", false},
        {"kms.a.amazonaws.com:443", "::", false},
        {"kms.a.amazonaws.com:443", "::1", false},
        {"kms.a.amazonaws.com:443", "fe80::1", false},
        {"kms.a.amazonaws.com:443", "ff02::1", false},
        {"kms.a.amazonaws.com:443", "fd00:ec2::254", false},
        {"kms.a.amazonaws.com:443", "::ffff:169.254.169.254", false},
        {"kms.a.amazonaws.com:443", "::ffff:127.0.0.1", false},
        {"kms.a.amazonaws.com:443", "::ffff:10.1.2.3", true},
        /* listed as such, with this port */
        {"kms.a.amazonaws.com:443", "127.0.0.7", true},
        {"kms.a.amazonaws.com:443", "::ffff:127.0.0.7", true},
        {"kms.a.amazonaws.com:444", "127.0.0.7", false},
        /* what localhost is */
        {"localhost:443", "127.0.0.1", true},
        {"kms.localhost:443", "::1", true},
        {"localhost:443", "169.254.169.254", false},
        {"notlocalhost:443", "127.0.0.1", false},
        {"127.0.0.1:443", "127.0.0.1", true},
    };
    struct allow_list list = {0};
    struct error err = {0};
    assert_true(allow_add(&list, bytes_text("127.0.0.7:443"), &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (reachable(&list, cases[i].to, cases[i].address) != cases[i].allowed)
            fail_msg("%s at %s", cases[i].to, cases[i].address);
    allow_clear(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(destinations),
        cmocka_unit_test(lengths),
        cmocka_unit_test(endpoints_of_kms),
        cmocka_unit_test(patterns),
        cmocka_unit_test(addresses_match_no_pattern),
        cmocka_unit_test(files),
        cmocka_unit_test(no_more_than_the_limit),
        cmocka_unit_test(addresses_of_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
