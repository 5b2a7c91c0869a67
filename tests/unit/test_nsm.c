/* SPDX-License-Identifier: Apache-2.0 */
/* The enclave's NSM client against a module that answers from a table, truly and with malice. */
#include "tests/unit/check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/hex.h"
#include "dev/nsm_unix.h"
#include "enclave/entropy.h"
#include "formats/cbor_types.h"

/* A module that answers each request with the next of its answers, the last one again and again. */
struct fake {
    struct buffer answers[4];
    size_t count;
    size_t asked;
    struct buffer request; /* the last one */
    size_t claim_len;      /* unless 0: the length that is claimed for the answer */
    bool fails;
    bool closed;
};

static bool fake_exchange(void *context, struct bytes request, uint8_t *response,
                          size_t *response_len, struct error *err)
{
    struct fake *fake = context;
    buffer_reset(&fake->request);
    buffer_append(&fake->request, request);
    if (fake->fails)
        return error_set(err, ERROR_NETWORK, "nobody there");
    size_t i = fake->asked < fake->count ? fake->asked : fake->count - 1;
    fake->asked++;
    assert_true(fake->answers[i].len <= NSM_RESPONSE_MAX);
    if (fake->answers[i].len > 0)
        memcpy(response, fake->answers[i].at, fake->answers[i].len);
    *response_len = fake->claim_len != 0 ? fake->claim_len : fake->answers[i].len;
    return true;
}

static void fake_close(void *context)
{
    struct fake *fake = context;
    fake->closed = true;
}

static struct nsm fake_open(struct fake *fake)
{
    *fake = (struct fake){.count = 1};
    buffer_init(&fake->request, NSM_REQUEST_MAX);
    for (size_t i = 0; i < ARRAY_LEN(fake->answers); i++)
        buffer_init(&fake->answers[i], NSM_RESPONSE_MAX);
    return (struct nsm){
        .transport = {.exchange = fake_exchange, .close = fake_close, .context = fake}};
}

static void fake_done(struct fake *fake)
{
    buffer_clear(&fake->request);
    for (size_t i = 0; i < ARRAY_LEN(fake->answers); i++)
        buffer_clear(&fake->answers[i]);
}

/*
 * Answers are written as in the formats above the client's functions: hex digits, with quoted text
 * becoming a CBOR text string and @N a byte string of N bytes 0x5a.
 */
static void put_script(struct buffer *out, const char *script)
{
    while (*script != '\0') {
        if (*script == ' ') {
            script++;
        } else if (*script == '"') {
            const char *end = strchr(script + 1, '"');
            cbor_put_text_bytes(out, bytes_of(script + 1, (size_t)(end - script - 1)));
            script = end + 1;
        } else if (*script == '@') {
            char *end;
            uint8_t filler[2048];
            memset(filler, 0x5a, sizeof filler);
            size_t len = strtoul(script + 1, &end, 10);
            assert_true(len <= sizeof filler);
            cbor_put_bytes(out, bytes_of(filler, len));
            script = end;
        } else {
            uint8_t byte;
            assert_true(hex_decode(&byte, bytes_of(script, 2)));
            buffer_byte(out, byte);
            script += 2;
        }
    }
    assert_false(out->failed);
}

/* The three requests, each called with plain arguments. */
static bool call_read_pcr(struct nsm *nsm, struct error *err)
{
    uint8_t value[NSM_PCR_SIZE];
    return nsm_read_pcr(nsm, 16, value, err);
}

static bool call_get_random(struct nsm *nsm, struct error *err)
{
    uint8_t out[32];
    return nsm_get_random(nsm, out, sizeof out, err);
}

static bool call_attest(struct nsm *nsm, struct error *err)
{
    BUFFER_AUTO document = {.limit = NSM_RESPONSE_MAX};
    struct nsm_claims claims = {.nonce = bytes_text("n")};
    bool made = nsm_attest(nsm, &claims, &document, err);
    assert_int_equal(made, document.len > 0);
    return made;
}

static const struct request {
    const char *name;
    bool (*call)(struct nsm *, struct error *);
    const char *sent; /* the request's bytes, as a script */
    const char *good; /* an answer that is accepted */
} requests[] = {
    {"DescribePCR", call_read_pcr, "a1 \"DescribePCR\" a1 \"index\" 10",
     "a1 \"DescribePCR\" a2 \"lock\" f5 \"data\" @48"},
    {"GetRandom", call_get_random, "\"GetRandom\"", "a1 \"GetRandom\" a1 \"random\" @256"},
    {"Attestation", call_attest,
     "a1 \"Attestation\" a3 \"user_data\" f6 \"nonce\" 416e \"public_key\" f6",
     "a1 \"Attestation\" a1 \"document\" @1000"},
};

/* Calls request with the scripted answer; returns whether it succeeded. */
static bool ask(const struct request *request, const char *answer, struct error *err)
{
    struct fake fake;
    struct nsm nsm = fake_open(&fake);
    put_script(&fake.answers[0], answer);
    *err = (struct error){0};
    bool ok = request->call(&nsm, err);
    fake_done(&fake);
    return ok;
}

/* Every failure is ERROR_NSM and names the request and what was wrong. */
static void assert_refused(const struct request *request, const char *answer, const char *why)
{
    struct error err;
    if (ask(request, answer, &err))
        fail_msg("%s took %s", request->name, answer);
    assert_int_equal(err.code, ERROR_NSM);
    char prefix[64];
    snprintf(prefix, sizeof prefix, "NSM %s: ", request->name);
    if (strncmp(err.cause, prefix, strlen(prefix)) != 0 || strstr(err.cause, why) == NULL)
        fail_msg("%s, answered %s, says: %s", request->name, answer, err.cause);
}

static void sends_the_documented_bytes_and_takes_the_documented_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct fake fake;
        struct nsm nsm = fake_open(&fake);
        put_script(&fake.answers[0], requests[i].good);
        struct error err = {0};
        if (!requests[i].call(&nsm, &err))
            fail_msg("%s: %s", requests[i].name, err.cause);
        BUFFER_AUTO want = {.limit = NSM_REQUEST_MAX};
        put_script(&want, requests[i].sent);
        assert_true(bytes_equal(buffer_bytes(&fake.request), buffer_bytes(&want)));
        nsm_close(&nsm);
        assert_true(fake.closed);
        nsm_close(&nsm); /* twice does nothing */
        fake_done(&fake);
    }
}

static void every_error_of_the_module_is_named(void **state)
{
    (void)state;
    static const char *const names[] = {"Success",         "InvalidArgument", "InvalidIndex",
                                        "InvalidResponse", "ReadOnlyIndex",   "InvalidOperation",
                                        "BufferTooSmall",  "InputTooLarge",   "InternalError"};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        for (size_t n = 0; n < ARRAY_LEN(names); n++) {
            char answer[64];
            snprintf(answer, sizeof answer, "a1 \"Error\" \"%s\"", names[n]);
            assert_refused(&requests[i], answer, names[n]);
        }
        assert_refused(&requests[i], "a1 \"Error\" \"Secret text\"", "an unknown error");
        assert_refused(&requests[i], "a1 \"Error\" 01", "malformed");
        assert_refused(&requests[i], "a2 \"Error\" \"InvalidIndex\" \"Error\" \"InvalidIndex\"",
                       "malformed");
    }
}

static void truncated_answers_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        BUFFER_AUTO whole = {.limit = NSM_RESPONSE_MAX};
        put_script(&whole, requests[i].good);
        for (size_t len = 0; len < whole.len; len++) {
            struct fake fake;
            struct nsm nsm = fake_open(&fake);
            buffer_append(&fake.answers[0], bytes_of(whole.at, len));
            struct error err = {0};
            assert_false(requests[i].call(&nsm, &err));
            assert_int_equal(err.code, ERROR_NSM);
            assert_non_null(strstr(err.cause, requests[i].name));
            fake_done(&fake);
        }
    }
}

static void answers_with_something_behind_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        char answer[512];
        snprintf(answer, sizeof answer, "%s 00", requests[i].good);
        assert_refused(&requests[i], answer, "malformed");
    }
}

static void answers_to_another_request_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        for (size_t j = 0; j < ARRAY_LEN(requests); j++)
            if (i != j)
                assert_refused(&requests[i], requests[j].good, "malformed");
}

static void garbage_is_refused(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "ff",   "00",      "f6", "a0",           "80", "40", "60", "9bffffffffffffffff",
        "a1ff", "a101 01", "bf", "a1 \"Error\"", "1c"};
    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        for (size_t g = 0; g < ARRAY_LEN(garbage); g++)
            assert_refused(&requests[i], garbage[g], "malformed");
}

static void wrong_shapes_are_refused(void **state)
{
    (void)state;
    static const struct {
        size_t request;
        const char *answer;
    } cases[] = {
        /* DescribePCR: no value, of another size, of another type, twice */
        {0, "a1 \"DescribePCR\" a1 \"lock\" f4"},
        {0, "a1 \"DescribePCR\" a2 \"lock\" f4 \"data\" @47"},
        {0, "a1 \"DescribePCR\" a2 \"lock\" f4 \"data\" @49"},
        {0, "a1 \"DescribePCR\" a2 \"lock\" f4 \"data\" @0"},
        {0, "a1 \"DescribePCR\" a2 \"lock\" f4 \"data\" f6"},
        {0, "a1 \"DescribePCR\" a3 \"lock\" f4 \"data\" @48 \"data\" @48"},
        {0, "a1 \"DescribePCR\" 82 f4 @48"},
        {0, "a1 \"DescribePCR\" \"DescribePCR\""},
        {0, "\"DescribePCR\""},
        {0, "a2 \"DescribePCR\" a2 \"lock\" f4 \"data\" @48 "
            "\"DescribePCR\" a2 \"lock\" f4 \"data\" @48"},
        /* GetRandom: none, too many, of another type */
        {1, "a1 \"GetRandom\" a1 \"random\" @0"},
        {1, "a1 \"GetRandom\" a1 \"random\" @257"},
        {1, "a1 \"GetRandom\" a1 \"random\" \"text\""},
        {1, "a1 \"GetRandom\" a1 \"random\" 5f4101ff"},
        {1, "a1 \"GetRandom\" @32"},
        /* Attestation */
        {2, "a1 \"Attestation\" a1 \"document\" @0"},
        {2, "a1 \"Attestation\" a1 \"document\" f6"},
        {2, "a1 \"Attestation\" a0"},
        {2, "a1 \"Attestation\" a2 \"document\" @9 \"document\" @9"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_refused(&requests[cases[i].request], cases[i].answer, "malformed");
}

static void members_come_in_any_order_beside_unknown_ones(void **state)
{
    (void)state;
    static const struct {
        size_t request;
        const char *answer;
    } cases[] = {
        {0, "a1 \"DescribePCR\" a2 \"data\" @48 \"lock\" f5"},
        {0, "bf \"DescribePCR\" bf \"data\" @48 \"lock\" f5 ff ff"},
        {0, "a1 \"DescribePCR\" a4 \"new\" 8320f68140 \"data\" @48 \"more\" a10101 \"lock\" f4"},
        {0, "a2 \"since\" 01 \"DescribePCR\" a2 \"x\" 9f4101ff \"data\" @48"},
        {1, "a1 \"GetRandom\" a2 \"random\" @32 \"quality\" 1903e8"},
        {2, "a1 \"Attestation\" bf \"document\" @9 ff"},
    };
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (!ask(&requests[cases[i].request], cases[i].answer, &err))
            fail_msg("%s: %s", cases[i].answer, err.cause);
}

static void a_register_is_what_was_said(void **state)
{
    (void)state;
    struct fake fake;
    struct nsm nsm = fake_open(&fake);
    put_script(&fake.answers[0], "a1 \"DescribePCR\" a2 \"lock\" f4 \"data\" @48");
    uint8_t value[NSM_PCR_SIZE] = {0};
    struct error err;
    assert_true(nsm_read_pcr(&nsm, 16, value, &err));
    for (size_t i = 0; i < sizeof value; i++)
        assert_int_equal(value[i], 0x5a);
    fake_done(&fake);
}

static void random_is_asked_for_until_it_is_enough(void **state)
{
    (void)state;
    struct fake fake;
    struct nsm nsm = fake_open(&fake);
    put_script(&fake.answers[0], "a1 \"GetRandom\" a1 \"random\" @200");
    put_script(&fake.answers[1], "a1 \"GetRandom\" a1 \"random\" @1");
    put_script(&fake.answers[2], "a1 \"GetRandom\" a1 \"random\" @256");
    fake.count = 3;
    uint8_t out[512] = {0};
    struct error err;
    assert_true(nsm_get_random(&nsm, out, sizeof out - 1, &err));
    assert_int_equal(fake.asked, 4); /* 200 + 1 + 256 + 54 of 256 */
    for (size_t i = 0; i + 1 < sizeof out; i++)
        assert_int_equal(out[i], 0x5a);
    assert_int_equal(out[511], 0);
    assert_false(nsm_get_random(&nsm, out, 65537, &err));
    assert_true(nsm_get_random(&nsm, out, 0, &err));
    fake_done(&fake);
}

static void random_that_ends_early_leaves_nothing(void **state)
{
    (void)state;
    struct fake fake;
    struct nsm nsm = fake_open(&fake);
    put_script(&fake.answers[0], "a1 \"GetRandom\" a1 \"random\" @200");
    put_script(&fake.answers[1], "a1 \"GetRandom\" a1 \"random\" @0");
    fake.count = 2;
    uint8_t out[256];
    memset(out, 0xff, sizeof out);
    struct error err;
    assert_false(nsm_get_random(&nsm, out, sizeof out, &err));
    for (size_t i = 0; i < sizeof out; i++)
        assert_int_equal(out[i], 0);
    fake_done(&fake);
}

static void claims_are_checked_before_they_are_sent(void **state)
{
    (void)state;
    static uint8_t filler[2048];
    static const struct {
        struct nsm_claims claims;
        bool sent;
    } cases[] = {
        {{.user_data = {filler, 512}, .nonce = {filler, 512}, .public_key = {filler, 1024}}, true},
        {{.user_data = {filler, 513}}, false},
        {{.nonce = {filler, 513}}, false},
        {{.public_key = {filler, 1025}}, false},
        {{.user_data = {filler, 0}}, true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fake fake;
        struct nsm nsm = fake_open(&fake);
        put_script(&fake.answers[0], "a1 \"Attestation\" a1 \"document\" @9");
        BUFFER_AUTO document = {.limit = 64};
        struct error err;
        assert_int_equal(nsm_attest(&nsm, &cases[i].claims, &document, &err), cases[i].sent);
        assert_int_equal(fake.asked, cases[i].sent ? 1 : 0);
        fake_done(&fake);
    }
}

static void what_does_not_fit_is_an_error(void **state)
{
    (void)state;
    struct fake fake;
    struct nsm nsm = fake_open(&fake);
    put_script(&fake.answers[0], "a1 \"Attestation\" a1 \"document\" @900");
    struct error err;
    struct nsm_claims claims = {0};
    BUFFER_AUTO document = {.limit = 899};
    assert_false(nsm_attest(&nsm, &claims, &document, &err));
    assert_int_equal(err.code, ERROR_NSM);
    assert_int_equal(fake.asked, 1);
    /* A transport that lies about the length. */
    fake.claim_len = NSM_RESPONSE_MAX + 1;
    assert_false(call_read_pcr(&nsm, &err));
    assert_non_null(strstr(err.cause, "too long"));
    fake.fails = true;
    assert_false(call_read_pcr(&nsm, &err));
    assert_int_equal(err.code, ERROR_NSM);
    assert_non_null(strstr(err.cause, "NSM DescribePCR: nobody there"));
    fake_done(&fake);
}

static void the_device_tells_its_troubles_apart(void **state)
{
    (void)state;
    struct nsm nsm;
    struct error err;
    assert_false(nsm_open_device(&nsm, "/nowhere/nsm", &err));
    assert_int_equal(err.code, ERROR_NSM);
    assert_non_null(strstr(err.cause, "not a Nitro enclave"));
    char path[] = "/tmp/test_nsm_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(nsm_open_device(&nsm, path, &err));
    assert_false(call_read_pcr(&nsm, &err));
    assert_non_null(strstr(err.cause, "the driver failed: Inappropriate ioctl"));
    nsm_close(&nsm);
    close(fd);
    unlink(path);
    /* A device, but another one. */
    assert_true(nsm_open_device(&nsm, "/dev/null", &err));
    assert_false(call_read_pcr(&nsm, &err));
    assert_int_equal(err.code, ERROR_NSM);
    assert_non_null(strstr(err.cause, "the driver failed: Inappropriate ioctl"));
    nsm_close(&nsm);
}

static void seeding_needs_a_module_that_gives(void **state)
{
    (void)state;
    struct fake fake;
    struct nsm nsm = fake_open(&fake);
    put_script(&fake.answers[0], "a1 \"GetRandom\" a1 \"random\" @256");
    put_script(&fake.answers[1], "a1 \"GetRandom\" a1 \"random\" @256");
    put_script(&fake.answers[2], "a1 \"GetRandom\" a1 \"random\" @0");
    fake.count = 3;
    struct error err = {0};
    if (!entropy_seed(&nsm, ENTROPY_MIX, &err))
        fail_msg("%s", err.cause);
    assert_int_equal(fake.asked, 2); /* 512 bytes */
    assert_false(entropy_seed(&nsm, ENTROPY_MIX, &err));
    assert_int_equal(err.code, ERROR_NSM);
    /* With credit: as root it works, otherwise the cause says what is missing. */
    fake.asked = 0;
    if (!entropy_seed(&nsm, ENTROPY_CREDIT, &err)) {
        assert_int_equal(err.code, ERROR_SYSTEM);
        assert_non_null(strstr(err.cause, "CAP_SYS_ADMIN"));
    }
    fake_done(&fake);
}

/* A module behind a unix socket that does as its script says for each packet it receives. */
struct socket_module {
    char folder[32];
    char path[64];
    int listener;
    const char *const *script; /* answers, "!close", "!silent", "!long"; NULL ends */
    pthread_t thread;
};

static void *serve(void *context)
{
    struct socket_module *module = context;
    int fd = -1;
    for (size_t i = 0; module->script[i] != NULL; i++) {
        uint8_t request[NSM_REQUEST_MAX];
        ssize_t got = fd < 0 ? 0 : recv(fd, request, sizeof request, 0);
        while (got <= 0) { /* the client made its connection anew */
            if (fd >= 0)
                close(fd);
            fd = accept(module->listener, NULL, NULL);
            if (fd < 0)
                return NULL;
            got = recv(fd, request, sizeof request, 0);
        }
        if (strcmp(module->script[i], "!close") == 0) {
            close(fd);
            fd = -1;
        } else if (strcmp(module->script[i], "!long") == 0) {
            static uint8_t packet[NSM_RESPONSE_MAX + 1];
            (void)!send(fd, packet, sizeof packet, MSG_NOSIGNAL);
        } else if (strcmp(module->script[i], "!silent") != 0) {
            BUFFER_AUTO answer = {.limit = NSM_RESPONSE_MAX};
            put_script(&answer, module->script[i]);
            (void)!send(fd, answer.at, answer.len, MSG_NOSIGNAL);
        }
    }
    if (fd >= 0)
        close(fd);
    return NULL;
}

static void module_start(struct socket_module *module, const char *const *script)
{
    *module = (struct socket_module){.folder = "/tmp/test_nsm_XXXXXX", .script = script};
    assert_non_null(mkdtemp(module->folder));
    snprintf(module->path, sizeof module->path, "%s/nsm", module->folder);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    memcpy(address.sun_path, module->path, strlen(module->path));
    module->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(module->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(module->listener, 8), 0);
    assert_int_equal(pthread_create(&module->thread, NULL, serve, module), 0);
}

static void module_stop(struct socket_module *module)
{
    pthread_join(module->thread, NULL);
    close(module->listener);
    unlink(module->path);
    rmdir(module->folder);
}

static void a_socket_serves_after_each_of_its_failures(void **state)
{
    (void)state;
    const char *good = requests[0].good;
    const char *const script[] = {good, "!close", good, "!long", good, "!silent", good, NULL};
    static const struct {
        bool ok;
        const char *cause;
    } want[] = {{true, ""}, {false, "closed the connection"},
                {true, ""}, {false, "longer than"},
                {true, ""}, {false, "time limit"},
                {true, ""}};
    struct socket_module module;
    module_start(&module, script);
    struct nsm nsm;
    struct error err = {0};
    assert_true(nsm_open_unix(&nsm, module.path, 1000, &err));
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        bool ok = call_read_pcr(&nsm, &err);
        if (ok != want[i].ok || (!ok && strstr(err.cause, want[i].cause) == NULL))
            fail_msg("exchange %zu: %d %s", i, ok, err.cause);
        if (!ok)
            assert_int_equal(err.code, ERROR_NSM);
    }
    nsm_close(&nsm);
    module_stop(&module);
}

static void a_socket_that_is_not_there_is_named(void **state)
{
    (void)state;
    struct nsm nsm;
    struct error err;
    assert_false(nsm_open_unix(&nsm, "/nowhere/nsm.sock", 1000, &err));
    assert_int_equal(err.code, ERROR_NSM);
    assert_non_null(strstr(err.cause, "/nowhere/nsm.sock"));
    assert_false(nsm_open_unix(&nsm, "", 1000, &err));
    char path[256];
    memset(path, 'x', sizeof path);
    path[sizeof path - 1] = '\0';
    assert_false(nsm_open_unix(&nsm, path, 1000, &err));
    assert_non_null(strstr(err.cause, "not a path"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sends_the_documented_bytes_and_takes_the_documented_answer),
        cmocka_unit_test(every_error_of_the_module_is_named),
        cmocka_unit_test(truncated_answers_are_refused),
        cmocka_unit_test(answers_with_something_behind_are_refused),
        cmocka_unit_test(answers_to_another_request_are_refused),
        cmocka_unit_test(garbage_is_refused),
        cmocka_unit_test(wrong_shapes_are_refused),
        cmocka_unit_test(members_come_in_any_order_beside_unknown_ones),
        cmocka_unit_test(a_register_is_what_was_said),
        cmocka_unit_test(random_is_asked_for_until_it_is_enough),
        cmocka_unit_test(random_that_ends_early_leaves_nothing),
        cmocka_unit_test(claims_are_checked_before_they_are_sent),
        cmocka_unit_test(what_does_not_fit_is_an_error),
        cmocka_unit_test(the_device_tells_its_troubles_apart),
        cmocka_unit_test(seeding_needs_a_module_that_gives),
        cmocka_unit_test(a_socket_serves_after_each_of_its_failures),
        cmocka_unit_test(a_socket_that_is_not_there_is_named),
    };
    return cmocka_run_group_tests_name("nsm", tests, NULL, NULL);
}
