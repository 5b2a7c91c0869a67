/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's thread, against a KMS over real TLS and an NSM that a test decides. Its source is
 * included, so that all sessions can have the one key that was made for the KMS of kms_peer.h.
 */
#include "tests/unit/kms_peer.h"

#define recipient_new(err) (recipient)
#define recipient_free(r)  (void)(r)
#include "enclave/session.c"
#undef recipient_new
#undef recipient_free

#define CREDENTIALS "\"credentials\":{\"access_key_id\":\"AKIDSECOND\",\"secret_access_key\":\"s\"}"
#define WRAPPED     "\"wrapped_tsk\":\"QUJD\""
#define CONFIGURE   "{\"op\":\"configure\"," CREDENTIALS "," WRAPPED "}"
#define BAD         "{\"op\":\"configure\"}"
#define UNKNOWN     "{\"op\":\"configure\"," CREDENTIALS ",\"key_arn\":\"x\"}"
#define DENIED      "{\"__type\":\"AccessDeniedException\",\"message\":\"no\"}"

static const enum step good[] = {GOOD, END}, slow[] = {SLOW, END}, denied[] = {ANSWER, END};

/* A session and what it works with. */
struct bench {
    struct server server;
    struct config config;
    struct fake_nsm fake;
    struct nsm nsm;
    struct keyring *ring;
    struct job_queue done;
    struct initial_secrets given;
    struct session *session;
    struct session_status status; /* the last one that was asked for */
};

/* With a KMS that takes these steps. */
static void prepare(struct bench *b, const enum step *steps)
{
    struct address relay;
    *b = (struct bench){.fake.pcr = {1}};
    server_start(&b->server, steps, &relay);
    b->server.status = 400;
    b->server.body = DENIED;
    server_run(&b->server);
    b->config = config_at(&relay);
    b->config.limits = (struct limits){.frame_bytes = 1u << 20, .json_depth = 64};
    b->nsm = fake_open(&b->fake);
    b->ring = keyring_new(1000000);
    job_queue_init(&b->done, -1);
}

/* What the environment and files would have given. */
static void give(struct bench *b)
{
    b->given.credentials = credentials_now();
    buffer_init(&b->given.wrapped, KMS_WRAPPED_MAX);
    buffer_text(&b->given.wrapped, wrapped_text);
}

static void begin(struct bench *b)
{
    static const struct initial_secrets none;
    struct error err = {0};
    b->session = session_start(&b->config, peer_roots, b->ring, &b->nsm, &b->given, &b->done, &err);
    assert_non_null(b->session);
    assert_memory_equal(&b->given, &none, sizeof none); /* taken over and wiped */
}

static const struct session_status *status(struct bench *b)
{
    session_get_status(b->session, &b->status);
    return &b->status;
}

static const struct session_status *settled(struct bench *b)
{
    while (status(b)->state == SESSION_STARTING)
        usleep(1000);
    return &b->status;
}

/* Hands over a request with its index, as the server does. */
static void configure(struct bench *b, const char *text)
{
    static const uint8_t header[FRAME_HEADER_SIZE]; /* the server has looked at it before */
    struct job *job = job_new(NULL, 1u << 16, 1u << 16);
    assert_non_null(job);
    buffer_append(&job->request, bytes_of(header, sizeof header));
    buffer_text(&job->request, text);
    json_init(&job->document, 16);
    struct bytes content = bytes_from(buffer_bytes(&job->request), FRAME_HEADER_SIZE);
    assert_true(json_parse(&job->document, content, NULL));
    session_configure(b->session, job);
}

/* Takes the next answer, which must be of that kind: ERROR_NONE is success. */
static void expect(struct bench *b, enum error_code code, const char *part)
{
    struct job *job = job_take(&b->done);
    assert_non_null(job);
    struct bytes text = bytes_from(buffer_bytes(&job->answer), FRAME_HEADER_SIZE);
    const char *wanted = code == ERROR_NONE ? "success" : error_name(code);
    if (job->failed != (code != ERROR_NONE) || !asks_for(text, wanted) || !asks_for(text, part))
        fail_msg("\"%.*s\": want %s, %s", (int)text.len, (const char *)text.at, wanted, part);
    job_free(job);
}

static void stop(struct bench *b)
{
    session_stop(b->session);
    server_stop(&b->server);
}

/* What the server noted is left, for the test to look at. */
static void clear(struct bench *b)
{
    assert_null(job_take_all(&b->done)); /* each job came back, and was looked at */
    job_queue_clear(&b->done);
    keyring_free(b->ring);
}

static void end(struct bench *b)
{
    stop(b);
    clear(b);
}

static void bench_clear(struct bench *b)
{
    server_clear(&b->server);
}

#define BENCH_AUTO __attribute__((cleanup(bench_clear))) struct bench

/* Whether what the ring seals with is the TSK that the KMS gave. */
static bool has_the_key(struct bench *b)
{
    struct held_keys held;
    uint8_t sealed[AEAD_OVERHEAD + 4] = {0}, plaintext[4];
    struct error err = {0};
    keyring_hold(b->ring, &held);
    bool ok = keyring_seal(&held, KEYRING_LOOP, sealed, 4, &err);
    keyring_release(b->ring, &held);
    struct aead *aead = aead_new(tsk_wanted);
    ok = ok && aead_open(aead, plaintext, bytes_of(sealed, sizeof sealed));
    aead_free(aead);
    return ok;
}

static bool kms_saw(const struct bench *b, const char *what)
{
    return asks_for(buffer_bytes(&b->server.request), what);
}

static void it_starts_with_what_it_is_given(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, good);
    give(&b);
    snprintf(b.given.credentials.expiration, KMS_EXPIRATION_MAX, "2030-01-01T00:00:00Z");
    begin(&b);
    assert_int_equal(settled(&b)->state, SESSION_READY);
    assert_int_equal(b.status.last_error.code, ERROR_NONE);
    assert_true(b.status.has_credentials);
    assert_string_equal(b.status.credentials_expire, "2030-01-01T00:00:00Z");
    assert_true(has_the_key(&b));
    end(&b);
    assert_int_equal(b.server.connections, 1);
    assert_true(b.fake.saw_key);
}

/* Nothing was given, or half of it: KMS is not asked, and nothing is wrong. */
static void it_awaits_what_it_lacks(void **state)
{
    (void)state;
    for (int has = 0; has < 2; has++) {
        BENCH_AUTO b;
        prepare(&b, good);
        if (has)
            b.given.credentials = credentials_now();
        begin(&b);
        assert_int_equal(settled(&b)->state, SESSION_AWAITING);
        assert_int_equal(b.status.last_error.code, ERROR_NONE);
        assert_int_equal(b.status.has_credentials, has);
        assert_false(has_the_key(&b));
        assert_int_equal(b.server.connections, 0);
        configure(&b, CONFIGURE);
        expect(&b, ERROR_NONE, "\"rotated\": false");
        assert_int_equal(status(&b)->state, SESSION_READY);
        assert_true(b.status.has_credentials);
        assert_true(has_the_key(&b));
        end(&b);
        assert_true(kms_saw(&b, "AKIDSECOND"));
        assert_int_equal(b.server.connections, 1);
    }
}

static void jobs_are_answered_in_their_order(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, good);
    begin(&b);
    settled(&b);
    for (int i = 0; i < 3; i++) {
        configure(&b, BAD);
        configure(&b, CONFIGURE);
        configure(&b, UNKNOWN);
    }
    for (int i = 0; i < 3; i++) {
        expect(&b, ERROR_CONFIGURE, "cause");
        expect(&b, ERROR_NONE, ARN);
        expect(&b, ERROR_UNKNOWN_MEMBER, "");
    }
    end(&b);
}

/* A request that cannot be read says nothing about the session. */
static void a_bad_request_is_no_outcome(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, good);
    begin(&b);
    settled(&b);
    configure(&b, UNKNOWN);
    expect(&b, ERROR_UNKNOWN_MEMBER, "");
    assert_int_equal(status(&b)->last_error.code, ERROR_NONE);
    assert_false(b.status.has_credentials);
    end(&b);
    assert_int_equal(b.server.connections, 0);
}

/* Credentials alone replace those in force only if KMS gives the key for them. */
static void credentials_are_tried_before_they_are_kept(void **state)
{
    (void)state;
    static const char renewal[] = "{\"op\":\"configure\"," CREDENTIALS "}";
    for (int accepted = 0; accepted < 2; accepted++) {
        static const enum step steps[][4] = {{GOOD, ANSWER, GOOD, END}, {GOOD, GOOD, GOOD, END}};
        BENCH_AUTO b;
        prepare(&b, steps[accepted]);
        give(&b);
        begin(&b);
        assert_int_equal(settled(&b)->state, SESSION_READY);
        configure(&b, renewal);
        expect(&b, accepted ? ERROR_NONE : ERROR_KMS_DENIED, accepted ? "\"rotated\": false" : "");
        assert_int_equal(status(&b)->state, SESSION_READY);
        assert_int_equal(b.server.connections, 2);
        configure(&b, "{\"op\":\"configure\"," WRAPPED "}");
        expect(&b, ERROR_NONE, "\"rotated\": false"); /* the same TSK again */
        end(&b);
        assert_int_equal(b.server.connections, 3);
        assert_true(kms_saw(&b, accepted ? "AKIDSECOND" : "AKIDEXAMPLE"));
    }
}

/* While one is served, so many wait; the next is refused at once; all are answered in the end. */
static void jobs_that_wait_are_bounded(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, slow);
    begin(&b);
    settled(&b);
    configure(&b, CONFIGURE);
    while (b.server.connections == 0)
        usleep(1000);
    for (int i = 0; i < SESSION_WAITING_MAX; i++)
        configure(&b, CONFIGURE);
    assert_null(job_take_all(&b.done));
    configure(&b, CONFIGURE);
    expect(&b, ERROR_BUSY, "");
    /* the state can be asked for meanwhile */
    assert_int_equal(status(&b)->state, SESSION_AWAITING);
    stop(&b);
    for (int i = 0; i < 1 + SESSION_WAITING_MAX; i++)
        expect(&b, ERROR_SHUTTING_DOWN, "");
    assert_false(has_the_key(&b));
    clear(&b);
    assert_int_equal(b.server.connections, 1);
}

/* A stop is heard while KMS is asked for the first time, long before that attempt's end. */
static void it_stops_while_it_waits(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, slow);
    give(&b);
    b.config.attempt_ms = INT64_MAX;
    begin(&b);
    while (b.server.connections == 0)
        usleep(1000);
    assert_int_equal(status(&b)->state, SESSION_STARTING);
    end(&b);
}

/* Each failure is kept for health with what KMS said; a configure that succeeds clears it. */
static void failures_are_kept_until_it_succeeds(void **state)
{
    (void)state;
    static const struct {
        enum step steps[3];
        bool nsm_broken;
        enum error_code code;
        unsigned http_status;
    } rows[] = {
        {{ANSWER, GOOD, END}, false, ERROR_KMS_DENIED, 400},
        {{CUT, GOOD, END}, false, ERROR_RELAY, 0},
        {{STRANGE_CERTIFICATE, GOOD, END}, false, ERROR_TLS, 0},
        {{SHORT_TSK, GOOD, END}, false, ERROR_TSK_LENGTH, 0},
        {{OTHER_RECIPIENT, GOOD, END}, false, ERROR_ENVELOPE, 0},
        {{GOOD, END, END}, true, ERROR_NSM, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BENCH_AUTO b;
        prepare(&b, rows[i].steps);
        give(&b);
        b.fake.broken = rows[i].nsm_broken;
        begin(&b);
        if (settled(&b)->state != SESSION_AWAITING || b.status.last_error.code != rows[i].code)
            fail_msg("row %zu: %s: %s", i, error_name(b.status.last_error.code),
                     b.status.last_error.cause);
        assert_int_equal(b.status.refusal.http_status, rows[i].http_status);
        assert_string_equal(b.status.refusal.type,
                            rows[i].http_status != 0 ? "AccessDeniedException" : "");
        assert_true(b.status.has_credentials);
        assert_false(has_the_key(&b));
        b.fake.broken = false; /* the thread waits for a job now */
        configure(&b, CONFIGURE);
        expect(&b, ERROR_NONE, "");
        assert_int_equal(status(&b)->last_error.code, ERROR_NONE);
        assert_int_equal(b.status.refusal.http_status, 0);
        assert_true(has_the_key(&b));
        end(&b);
    }
}

/* All or nothing: after a configure that failed the old key, credentials and TSK are in force. */
static void a_failed_configure_changes_nothing(void **state)
{
    (void)state;
    static const enum step steps[] = {GOOD, ANSWER, GOOD, END};
    BENCH_AUTO b;
    prepare(&b, steps);
    give(&b);
    begin(&b);
    assert_int_equal(settled(&b)->state, SESSION_READY);
    configure(&b, CONFIGURE);
    expect(&b, ERROR_KMS_DENIED, "AccessDeniedException");
    assert_int_equal(status(&b)->state, SESSION_READY);
    assert_int_equal(b.status.last_error.code, ERROR_KMS_DENIED);
    assert_true(has_the_key(&b));
    configure(&b, "{\"op\":\"configure\"," WRAPPED "}");
    expect(&b, ERROR_NONE, "");
    end(&b);
    assert_true(kms_saw(&b, "AKIDEXAMPLE")); /* those that it was started with */
}

/* Any client may send a wrapped TSK; KMS is asked only for one that the image pins. */
static void only_a_pinned_key_is_installed(void **state)
{
    (void)state;
    static const char other[] = "{\"op\":\"configure\"," CREDENTIALS ",\"wrapped_tsk\":\"QUJE\"}";
    BENCH_AUTO b;
    prepare(&b, good);
    b.config.wrapped_pins.count = 2;
    assert_true(sha256(b.config.wrapped_pins.sha256[1], bytes_text("ABC")));
    begin(&b);
    settled(&b);
    configure(&b, other);
    expect(&b, ERROR_TSK_NOT_PINNED, "wrapped_tsk_sha256");
    assert_int_equal(status(&b)->last_error.code, ERROR_TSK_NOT_PINNED);
    assert_false(has_the_key(&b));
    assert_int_equal(b.server.connections, 0);
    configure(&b, CONFIGURE);
    expect(&b, ERROR_NONE, "");
    assert_true(has_the_key(&b));
    configure(&b, other);
    expect(&b, ERROR_TSK_NOT_PINNED, "");
    assert_true(has_the_key(&b));
    end(&b);
    assert_int_equal(b.server.connections, 1);
}

/* The same of one that the environment gave. */
static void it_does_not_start_with_another_key(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, good);
    give(&b);
    b.config.wrapped_pins.count = 1;
    begin(&b);
    assert_int_equal(settled(&b)->state, SESSION_AWAITING);
    assert_int_equal(b.status.last_error.code, ERROR_TSK_NOT_PINNED);
    end(&b);
    assert_int_equal(b.server.connections, 0);
}

/* No secret of a request is in its answer. */
static void secrets_are_not_answered(void **state)
{
    (void)state;
    BENCH_AUTO b;
    prepare(&b, denied);
    begin(&b);
    settled(&b);
    configure(&b,
              "{\"op\":\"configure\",\"credentials\":{\"access_key_id\":\"A\","
              "\"secret_access_key\":\"" SECRET "\",\"session_token\":\"" TOKEN "\"}," WRAPPED "}");
    struct job *job = job_take(&b.done);
    assert_non_null(job);
    assert_true(job->failed);
    assert_false(asks_for(buffer_bytes(&job->answer), SECRET));
    assert_false(asks_for(buffer_bytes(&job->answer), TOKEN));
    job_free(job);
    end(&b);
}

static void registers_are_read_once(void **state)
{
    (void)state;
    static const struct {
        bool broken;
        uint8_t first;
        bool known, debug;
    } rows[] = {{false, 7, true, false}, {false, 0, true, true}, {true, 7, false, false}};
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BENCH_AUTO b;
        prepare(&b, good);
        b.fake.broken = rows[i].broken;
        b.fake.pcr[0] = rows[i].first;
        begin(&b);
        /* at once: whoever can ask for them shall not see them missing */
        assert_int_equal(status(&b)->measurements.known, rows[i].known);
        const struct measurements *m = &settled(&b)->measurements;
        assert_int_equal(m->known, rows[i].known);
        assert_int_equal(measurements_are_debug(m), rows[i].debug);
        for (size_t p = 0; p < SESSION_PCRS && m->known; p++)
            assert_memory_equal(m->pcr[p], b.fake.pcr, NSM_PCR_SIZE);
        end(&b);
        assert_int_equal(b.fake.asked, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_starts_with_what_it_is_given),
        cmocka_unit_test(it_awaits_what_it_lacks),
        cmocka_unit_test(jobs_are_answered_in_their_order),
        cmocka_unit_test(a_bad_request_is_no_outcome),
        cmocka_unit_test(credentials_are_tried_before_they_are_kept),
        cmocka_unit_test(jobs_that_wait_are_bounded),
        cmocka_unit_test(it_stops_while_it_waits),
        cmocka_unit_test(failures_are_kept_until_it_succeeds),
        cmocka_unit_test(a_failed_configure_changes_nothing),
        cmocka_unit_test(only_a_pinned_key_is_installed),
        cmocka_unit_test(it_does_not_start_with_another_key),
        cmocka_unit_test(secrets_are_not_answered),
        cmocka_unit_test(registers_are_read_once),
    };
    alarm(300); /* whatever is waited for and never comes */
    return cmocka_run_group_tests_name("session", tests, peer_set_up, peer_tear_down);
}
