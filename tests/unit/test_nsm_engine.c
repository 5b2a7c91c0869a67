/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated module as a machine: what its socket cannot show (time, room for an answer), and
 * the enclave's own client in front of it.
 */
#include "tests/unit/check.h"

#include <pthread.h>
#include <unistd.h>

#include "base/hex.h"
#include "codec/cbor.h"
#include "dev/nsm_unix.h"
#include "pki/attestation_verify.h"
#include "pki/sha384.h"
#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_request.h"
#include "sim/nsm_service/nsm_server.h"

#define NOW_MS 1800000000000

struct bench {
    struct nsm_identity identity;
    struct nsm_engine *engine;
    int64_t now_ms;
};

static int setup(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    struct nsm_engine_config config = {.pcr_given = 1};
    struct error err;
    config.pcr[0][0] = 0xaa;
    bench->now_ms = NOW_MS;
    if (!nsm_identity_new(&bench->identity, NOW_MS / 1000, &err))
        return -1;
    bench->engine = nsm_engine_new(&bench->identity, &config, &err);
    *state = bench;
    return bench->engine == NULL ? -1 : 0;
}

static int teardown(void **state)
{
    struct bench *bench = *state;
    nsm_engine_free(bench->engine);
    nsm_identity_clear(&bench->identity);
    free(bench);
    return 0;
}

static bool exchange(void *context, struct bytes request, uint8_t *response, size_t *response_len,
                     struct error *err)
{
    (void)err;
    struct bench *bench = context;
    BUFFER_AUTO out = {.limit = NSM_RESPONSE_MAX};
    nsm_engine_answer(bench->engine, request, bench->now_ms, &out);
    memcpy(response, out.at, out.len);
    *response_len = out.len;
    return true;
}

static struct nsm client_of(struct bench *bench)
{
    return (struct nsm){.transport = {.exchange = exchange, .context = bench}};
}

static void the_client_and_the_module_understand_each_other(void **state)
{
    struct bench *bench = *state;
    struct nsm nsm = client_of(bench);
    struct error err;
    uint8_t value[NSM_PCR_SIZE];
    assert_true(nsm_read_pcr(&nsm, 0, value, &err));
    assert_int_equal(value[0], 0xaa);
    assert_false(nsm_read_pcr(&nsm, 32, value, &err));
    assert_non_null(strstr(err.cause, "InvalidIndex"));
    uint8_t random[1000];
    assert_true(nsm_get_random(&nsm, random, sizeof random, &err));
}

static struct buffer document_at(struct bench *bench, int64_t now_ms)
{
    bench->now_ms = now_ms;
    struct nsm nsm = client_of(bench);
    struct nsm_claims claims = {.nonce = bytes_text("nonce")};
    struct buffer document;
    struct error err;
    buffer_init(&document, NSM_RESPONSE_MAX);
    if (!nsm_attest(&nsm, &claims, &document, &err))
        fail_msg("%s", err.cause);
    return document;
}

/* The leaf's certificate in a document that verifies at its own time. */
static struct bytes leaf_of(struct bench *bench, const struct buffer *document, int64_t now_ms)
{
    struct attestation a;
    struct error err;
    if (!attestation_verify(&a, buffer_bytes(document),
                            buffer_bytes(&bench->identity.certs[NSM_CERT_ROOT]), now_ms, &err))
        fail_msg("%s", err.cause);
    assert_int_equal(a.timestamp_ms, now_ms);
    assert_bytes(a.nonce.value, "nonce");
    return a.certificate;
}

static void leaves_are_renewed_before_they_expire(void **state)
{
    struct bench *bench = *state;
    const int64_t minute = 60000;
    static const struct {
        int64_t minutes; /* after the first document */
        bool same_leaf;  /* as the document before */
    } cases[] = {{0, false},  {1, true},    {169, true}, {171, false},
                 {330, true}, {900, false}, {890, false} /* the clock was set back */};
    BUFFER_AUTO before = {.limit = ATTESTATION_CERT_MAX};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int64_t now = NOW_MS + cases[i].minutes * minute;
        BUFFER_AUTO document = document_at(bench, now);
        struct bytes leaf = leaf_of(bench, &document, now);
        assert_int_equal(bytes_equal(leaf, buffer_bytes(&before)), cases[i].same_leaf);
        buffer_reset(&before);
        buffer_append(&before, leaf);
    }
}

static void answers_keep_to_the_room_there_is(void **state)
{
    struct bench *bench = *state;
    BUFFER_AUTO request = {.limit = 64};
    cbor_put_text(&request, "GetRandom");
    static const struct {
        size_t room;
        const char *error; /* NULL: the answer; "": nothing at all */
    } cases[] = {{NSM_RESPONSE_MAX, NULL},
                 {278, NULL},
                 {277, "BufferTooSmall"},
                 {22, "BufferTooSmall"},
                 {21, ""},
                 {1, ""},
                 {0, ""}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct buffer response;
        buffer_init(&response, cases[i].room);
        nsm_engine_answer(bench->engine, buffer_bytes(&request), NOW_MS, &response);
        assert_false(response.failed);
        if (cases[i].error == NULL) {
            assert_int_equal(response.len, 278);
        } else if (cases[i].error[0] == '\0') {
            assert_int_equal(response.len, 0);
        } else {
            struct cbor_reader r = cbor_reader(buffer_bytes(&response));
            (void)cbor_enter(&r, CBOR_MAP);
            assert_bytes(cbor_text(&r), "Error");
            assert_bytes(cbor_text(&r), cases[i].error);
            assert_true(cbor_reader_done(&r));
        }
        buffer_clear(&response);
    }
}

static void a_time_before_1970_is_an_internal_error(void **state)
{
    struct bench *bench = *state;
    bench->now_ms = -1;
    struct nsm nsm = client_of(bench);
    struct nsm_claims claims = {0};
    BUFFER_AUTO document = {.limit = NSM_RESPONSE_MAX};
    struct error err;
    assert_false(nsm_attest(&nsm, &claims, &document, &err));
    assert_non_null(strstr(err.cause, "InternalError"));
}

static void request_names(void **state)
{
    (void)state;
    static const struct {
        const char *hex;
        const char *name;
    } cases[] = {
        {"6947657452616e646f6d", "GetRandom"},
        {"a1674c6f636b504352a165696e64657810", "LockPCR"},
        {"bf674c6f636b504352a0ff", "LockPCR"},
        {"a2674c6f636b504352a0674c6f636b504352a0", ""},
        {"01", ""},
        {"a0", ""},
        {"a10000", ""},
        {"", ""},
        {"69", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t bytes[64];
        size_t len = strlen(cases[i].hex) / 2;
        assert_true(hex_decode(bytes, bytes_text(cases[i].hex)));
        assert_bytes(nsm_request_name(bytes_of(bytes, len)), cases[i].name);
    }
    assert_true(nsm_engine_knows_error(bytes_text("InvalidResponse")));
    assert_false(nsm_engine_knows_error(bytes_text("invalidresponse")));
    assert_true(nsm_engine_knows_request(bytes_text("LockPCRs")));
    assert_false(nsm_engine_knows_request(bytes_text("LockPCRss")));
}

/* The server in a thread, the enclave's client over its socket. */
struct service {
    struct bench *bench;
    struct nsm_fault fault;
    int listener;
    int stop[2];
    pthread_t thread;
};

static void *serve(void *context)
{
    struct service *service = context;
    struct error err = {0};
    bool ok = nsm_server_run(service->bench->engine, &service->fault, service->listener,
                             service->stop[0], &err);
    return ok ? NULL : service;
}

/* What the client makes of each fault; NULL: it is served. */
static void the_client_meets_the_served_module(void **state)
{
    static const struct {
        const char *fault;
        const char *random, *pcr; /* causes */
    } cases[] = {
        {NULL, NULL, NULL},
        {"error:InternalError", "InternalError", "InternalError"},
        {"error:InvalidResponse:GetRandom", "InvalidResponse", NULL},
        {"short:GetRandom", "malformed", NULL},
        {"garbage:DescribePCR", NULL, "malformed"},
        {"silent:DescribePCR", NULL, "time limit"},
    };
    char folder[] = "/tmp/test_nsm_engine_XXXXXX";
    char path[64], text[80];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/nsm", folder);
    snprintf(text, sizeof text, "unix:%s", path);
    struct address address;
    struct error err = {0};
    assert_true(any_address_parse(&address, text, &err));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct service service = {.bench = *state};
        if (cases[i].fault != NULL)
            assert_true(nsm_fault_parse(&service.fault, "--fault", cases[i].fault, &err));
        if (!nsm_server_listen(&address, &service.listener, &err))
            fail_msg("%s", err.cause);
        assert_int_equal(pipe(service.stop), 0);
        assert_int_equal(pthread_create(&service.thread, NULL, serve, &service), 0);
        struct nsm nsm;
        uint8_t random[300], pcr[NSM_PCR_SIZE];
        bool silent = cases[i].fault != NULL && strncmp(cases[i].fault, "silent", 6) == 0;
        assert_true(nsm_open_unix(&nsm, path, silent ? 1500 : 60000, &err));
        bool got = nsm_get_random(&nsm, random, sizeof random, &err);
        if (got != (cases[i].random == NULL) || (!got && !strstr(err.cause, cases[i].random)))
            fail_msg("%s: %d %s", cases[i].fault, got, err.cause);
        got = nsm_read_pcr(&nsm, 16, pcr, &err);
        if (got != (cases[i].pcr == NULL) || (!got && !strstr(err.cause, cases[i].pcr)))
            fail_msg("%s: %d %s", cases[i].fault, got, err.cause);
        nsm_close(&nsm);
        void *failed;
        close(service.stop[1]);
        assert_int_equal(pthread_join(service.thread, &failed), 0);
        assert_null(failed);
        close(service.stop[0]);
        close(service.listener); /* leaves a stale socket, which the next case replaces */
    }
    unlink(path);
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_client_and_the_module_understand_each_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(leaves_are_renewed_before_they_expire, setup, teardown),
        cmocka_unit_test_setup_teardown(answers_keep_to_the_room_there_is, setup, teardown),
        cmocka_unit_test_setup_teardown(a_time_before_1970_is_an_internal_error, setup, teardown),
        cmocka_unit_test_setup_teardown(the_client_meets_the_served_module, setup, teardown),
        cmocka_unit_test(request_names),
    };
    return cmocka_run_group_tests_name("nsm_engine", tests, NULL, NULL);
}
