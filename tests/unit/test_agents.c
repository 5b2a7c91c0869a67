/* SPDX-License-Identifier: Apache-2.0 */
/* Requests to agents, from the bytes of a frame to the state that was sealed. */
#include "tests/unit/check.h"

#include "base/clock.h"
#include "base/hex.h"
#include "crypto/hash.h"
#include "enclave/answer.h"
#include "enclave/configure_request.h"
#include "enclave/request.h"
#include "enclave/workspace.h"
#include "net/frame.h"

#define FRAME_MAX 65536

static const uint8_t first_key[AEAD_KEY_SIZE] = "the first key of 32 bytes ......";
static const uint8_t other_key[AEAD_KEY_SIZE] = "another key, of 32 bytes too ...";

struct bench {
    struct config config;
    struct service service;
    struct workspace workspace;
    struct buffer answer;
};

static int set_up(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    bool rotated;
    if (b == NULL || !crypto_start())
        return -1;
    b->config.limits.frame_bytes = FRAME_MAX;
    b->config.limits.json_depth = 16;
    b->config.limits.json_values = 1100000;
    b->service.config = &b->config;
    b->service.ring = keyring_new(1000000);
    workspace_init(&b->workspace, KEYRING_LOOP, &b->config.limits);
    buffer_init(&b->answer, FRAME_MAX + ANSWER_SLACK);
    if (!keyring_install(b->service.ring, first_key, &rotated, NULL) || rotated)
        return -1;
    *state = b;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *b = *state;
    workspace_clear(&b->workspace);
    buffer_clear(&b->answer);
    keyring_free(b->service.ring);
    free(b);
    return 0;
}

/* Serves one request; the content of the answering frame. */
static struct bytes ask(struct bench *b, struct bytes request)
{
    buffer_reset(&b->answer);
    assert_true(request_serve(&b->service, &b->workspace, request, &b->answer));
    assert_true(b->answer.len >= FRAME_HEADER_SIZE);
    assert_int_equal(be32_load(b->answer.at), b->answer.len - FRAME_HEADER_SIZE);
    assert_int_equal(b->workspace.opened.len, 0);
    assert_int_equal(b->workspace.built.len, 0);
    assert_int_equal(b->workspace.keys.count, 0);
    return bytes_from(buffer_bytes(&b->answer), FRAME_HEADER_SIZE);
}

static void assert_error(struct bench *b, struct bytes request, const char *code)
{
    char want[256];
    struct bytes got = ask(b, request);
    snprintf(want, sizeof want, "{\"status\": \"error\", \"code\": \"%s\", ", code);
    if (got.len < strlen(want) || memcmp(got.at, want, strlen(want)) != 0)
        fail_msg("%.*s: got %.*s, want %s", (int)(request.len < 200 ? request.len : 200),
                 (const char *)request.at, (int)got.len, (const char *)got.at, code);
}

/* The state in an answer, opened with key; at most 4096 bytes, terminated. */
static char *open_answer(struct bytes answer, const uint8_t *key)
{
    static const char head[] = "{\"status\": \"success\", \"ciphertext\": \"";
    static uint8_t sealed[FRAME_MAX];
    static char plain[FRAME_MAX];
    if (answer.len < sizeof head + 1 || memcmp(answer.at, head, sizeof head - 1) != 0)
        fail_msg("%.*s", (int)answer.len, (const char *)answer.at);
    struct bytes hex = bytes_of(answer.at + sizeof head - 1, answer.len - sizeof head + 1 - 2);
    assert_true(hex_decode(sealed, hex));
    struct aead *aead = aead_new(key);
    assert_non_null(aead);
    assert_true(aead_open(aead, (uint8_t *)plain, bytes_of(sealed, hex.len / 2)));
    aead_free(aead);
    plain[hex.len / 2 - AEAD_OVERHEAD] = '\0';
    return plain;
}

/* {"mode": mode, "payload": text sealed with key} */
static void make_request(struct buffer *out, const char *mode, const char *text, const uint8_t *key)
{
    uint8_t sealed[8192];
    char hex[2 * sizeof sealed];
    size_t len = strlen(text);
    assert_true(random_bytes(sealed, AEAD_NONCE_SIZE));
    struct aead *aead = aead_new(key);
    assert_true(aead_seal(aead, sealed, bytes_text(text)));
    aead_free(aead);
    hex_encode(hex, bytes_of(sealed, len + AEAD_OVERHEAD));
    buffer_reset(out);
    buffer_printf(out, "{\"mode\":\"%s\",\"payload\":\"", mode);
    buffer_append(out, bytes_of(hex, 2 * (len + AEAD_OVERHEAD)));
    buffer_text(out, "\"}");
}

/* Replaces each timestamp's digits by 0, so that states can be compared. */
static char *without_time(char *text)
{
    for (char *at = text; (at = strstr(at, "timestamp\": \"")) != NULL;) {
        at += strlen("timestamp\": \"");
        for (; *at != '"' && *at != '\0'; at++)
            if (*at >= '0' && *at <= '9')
                *at = '0';
    }
    return text;
}

#define STAMP "0000-00-00T00:00:00.000000"

static void agent_a_begins_a_state(void **state)
{
    static const char *const payloads[] = {
        "\"hello\"",
        "null",
        "0",
        "[ 1,2 ]",
        "{\"a\" :1e400, \"b\":\"\\u00e9\\ud800\"}",
        "123456789012345678901234567890.12345678901234567890",
        "\"\"",
    };
    for (size_t i = 0; i < ARRAY_LEN(payloads); i++) {
        char request[300], want[600];
        snprintf(request, sizeof request, "{\"mode\":\"A\",\"payload\":%s}", payloads[i]);
        snprintf(
            want, sizeof want,
            "{\"agent\": \"A\", \"iteration\": 1, \"data\": {\"message\": \"Initial state from "
            "Agent A\", \"input_received\": %s, \"timestamp\": \"" STAMP "\"}}",
            payloads[i]);
        char *got = open_answer(ask(*state, bytes_text(request)), first_key);
        assert_string_equal(without_time(got), want);
    }
}

static void every_seal_has_a_nonce_of_its_own(void **state)
{
    char seen[1000][24];
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        struct bytes answer = ask(*state, bytes_text("{\"mode\":\"A\",\"payload\":1}"));
        memcpy(seen[i], answer.at + 37, 24);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], 24);
    }
}

#define B_DATA                                                                 \
    "\"processed_by_b\": true, \"b_message\": \"State modified by Agent B\", " \
    "\"b_timestamp\": \"" STAMP "\""

static void agent_b_changes_what_it_should(void **state)
{
    static const struct {
        const char *before, *after;
    } rows[] = {
        {"{\"agent\": \"A\", \"iteration\": 1, \"data\": {\"x\": 1}}",
         "{\"agent\": \"B\", \"iteration\": 2, \"data\": {\"x\": 1, " B_DATA "}}"},
        /* order, white space, unknown members, big numbers and escapes survive to the byte */
        {"{ \"z\":1.50e-999 ,\"data\" : { } , \"iteration\":-1,\"\\u0061gent\":{\"was\":[1]},"
         "\"n\":98765432109876543210987654321,\"s\":\"\\ud83d\\ude00\\u0000é\" }",
         "{ \"z\":1.50e-999 ,\"data\" : { " B_DATA "} , \"iteration\":0,\"\\u0061gent\":\"B\","
         "\"n\":98765432109876543210987654321,\"s\":\"\\ud83d\\ude00\\u0000é\" }"},
        /* what is there already is replaced where it stands */
        {"{\"agent\":\"B\",\"iteration\":41,\"data\":{\"b_message\":0,\"processed_by_b\":false,"
         "\"b_timestamp\": null,\"k\":{}}}",
         "{\"agent\":\"B\",\"iteration\":42,\"data\":{\"b_message\":\"State modified by Agent B\","
         "\"processed_by_b\":true,\"b_timestamp\": \"" STAMP "\",\"k\":{}}}"},
        /* no agent yet: it is added at the end, as a Python dict would */
        {"{\"iteration\":0,\"data\":{}}",
         "{\"iteration\":1,\"data\":{" B_DATA "}, \"agent\": \"B\"}"},
        {"{\"iteration\":9223372036854775806,\"data\":{}}",
         "{\"iteration\":9223372036854775807,\"data\":{" B_DATA "}, \"agent\": \"B\"}"},
    };
    BUFFER_AUTO request;
    buffer_init(&request, FRAME_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_request(&request, "B", rows[i].before, first_key);
        char *got = open_answer(ask(*state, buffer_bytes(&request)), first_key);
        assert_string_equal(without_time(got), rows[i].after);
    }
}

static void agent_b_refuses_other_states(void **state)
{
    static const struct {
        const char *before, *code;
    } rows[] = {
        {"", "state_malformed"},
        {"not json", "state_malformed"},
        {"[]", "state_malformed"},
        {"{}", "state_malformed"},
        {"{\"iteration\":1}", "state_malformed"},
        {"{\"data\":{}}", "state_malformed"},
        {"{\"iteration\":1,\"data\":[]}", "state_malformed"},
        {"{\"iteration\":\"1\",\"data\":{}}", "state_malformed"},
        {"{\"iteration\":1.0,\"data\":{}}", "state_malformed"},
        {"{\"iteration\":1e3,\"data\":{}}", "state_malformed"},
        {"{\"iteration\":true,\"data\":{}}", "state_malformed"},
        {"{\"iteration\":1,\"data\":{\"a\":1,\"\\u0061\":2}}", "state_malformed"},
        {"{\"iteration\":1,\"iteration\":2,\"data\":{}}", "state_malformed"},
        {"{\"iteration\":1,\"data\":{\"a\":\"\xff\"}}", "state_malformed"},
        {"{\"iteration\":9223372036854775807,\"data\":{}}", "iteration_overflow"},
        {"{\"iteration\":-9223372036854775809,\"data\":{}}", "iteration_overflow"},
        {"{\"iteration\":1234567890123456789012,\"data\":{}}", "iteration_overflow"},
        {"{\"iteration\":1,\"data\":{\"a\":[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]}}",
         "state_malformed"},
    };
    BUFFER_AUTO request;
    buffer_init(&request, FRAME_MAX);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        make_request(&request, "B", rows[i].before, first_key);
        assert_error(*state, buffer_bytes(&request), rows[i].code);
    }
    make_request(&request, "B", "{\"iteration\":1,\"data\":{}}", other_key);
    assert_error(*state, buffer_bytes(&request), "authentication_failed");
}

static void requests_are_checked(void **state)
{
    static const struct {
        const char *request, *code;
    } rows[] = {
        {"", "frame_empty"},
        {"x", "not_json"},
        {"{\"mode\":\"A\",\"payload\":1", "not_json"},
        {"{\"mode\":\"A\",\"payload\":1} x", "not_json"},
        {"{\"mode\":\"A\",\"payload\":01}", "not_json"},
        {"{\"mode\":\"A\",\"payload\":NaN}", "not_json"},
        {"{\"mode\":\"A\",\"payload\":1,\"payload\":2}", "duplicate_member"},
        {"{\"mode\":\"A\",\"m\\u006fde\":\"B\",\"payload\":2}", "duplicate_member"},
        {"[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]", "too_deep"},
        {"[]", "not_an_object"},
        {"\"A\"", "not_an_object"},
        {"{}", "missing_mode"},
        {"{\"payload\":1}", "missing_mode"},
        {"{\"mode\":\"no agent\",\"payload\":1}", "unknown_mode"},
        {"{\"mode\":\"a\",\"payload\":1}", "unknown_mode"},
        {"{\"mode\":1,\"payload\":1}", "unknown_mode"},
        {"{\"mode\":null}", "unknown_mode"},
        {"{\"op\":\"reboot\"}", "unknown_op"},
        {"{\"op\":{}}", "unknown_op"},
        {"{\"mode\":\"A\"}", "missing_payload"},
        {"{\"mode\":\"B\"}", "missing_payload"},
        {"{\"mode\":\"B\",\"payload\":1}", "payload_type"},
        {"{\"mode\":\"B\",\"payload\":null}", "payload_type"},
        {"{\"mode\":\"B\",\"payload\":\"xyz\"}", "not_hex"},
        {"{\"mode\":\"B\",\"payload\":\"abc\"}", "not_hex"},
        {"{\"mode\":\"B\",\"payload\":\"ab cd\"}", "not_hex"},
        {"{\"mode\":\"B\",\"payload\":\"\\ud800\"}", "not_hex"},
        {"{\"mode\":\"B\",\"payload\":\"\"}", "too_short"},
        {"{\"mode\":\"B\",\"payload\":\"\\u0030\\u0031\"}", "too_short"},
        {"{\"mode\":\"B\",\"payload\":\"000102030405060708090a0b0c0d0e0f101112131415161718191a\"}",
         "too_short"},
        {"{\"mode\":\"B\",\"payload\":"
         "\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b\"}",
         "authentication_failed"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        assert_error(*state, bytes_text(rows[i].request), rows[i].code);
    /* and the next good request succeeds */
    open_answer(ask(*state, bytes_text("{\"mode\":\"A\",\"payload\":1}")), first_key);
}

static void every_changed_bit_is_refused(void **state)
{
    BUFFER_AUTO request;
    buffer_init(&request, FRAME_MAX);
    make_request(&request, "B", "{\"iteration\":1,\"data\":{}}", first_key);
    size_t first = strlen("{\"mode\":\"B\",\"payload\":\"");
    for (size_t i = first; i < request.len - 2; i++) {
        uint8_t was = request.at[i];
        request.at[i] = was == '0' ? '1' : '0';
        assert_error(*state, buffer_bytes(&request), "authentication_failed");
        request.at[i] = was;
    }
    open_answer(ask(*state, buffer_bytes(&request)), first_key);
}

static void answers_keep_the_frame_limit(void **state)
{
    struct bench *b = *state;
    BUFFER_AUTO request;
    buffer_init(&request, FRAME_MAX);
    size_t fits = 0;
    for (size_t payload = 100; payload < 40000; payload += 37) {
        buffer_reset(&request);
        buffer_text(&request, "{\"mode\":\"A\",\"payload\":\"");
        for (size_t i = 0; i < payload; i++)
            buffer_byte(&request, 'x');
        buffer_text(&request, "\"}");
        struct bytes answer = ask(b, buffer_bytes(&request));
        assert_true(answer.len <= FRAME_MAX);
        if (answer.at[12] == 's') {
            assert_true(payload == 100 || fits != 0);
            fits = payload;
        } else {
            assert_error(b, buffer_bytes(&request), "response_too_large");
        }
    }
    assert_in_range(fits, 32000, 32768);
}

static bool succeeded(struct bytes answer)
{
    static const char head[] = "{\"status\": \"success\"";
    return answer.len > sizeof head && memcmp(answer.at, head, sizeof head - 1) == 0;
}

/*
 * Whether A takes the request. If so, B must open what A sealed, and what B sealed, as often as it
 * takes for the iteration to grow by a digit.
 */
static bool a_seals_what_b_opens(struct bench *b, struct bytes request)
{
    BUFFER_AUTO next;
    buffer_init(&next, FRAME_MAX);
    struct bytes answer = ask(b, request);
    bool taken = succeeded(answer);
    for (int i = 0; i < 12 && taken; i++) {
        size_t around = strlen("{\"status\": \"success\", \"ciphertext\": \"\"}");
        buffer_reset(&next);
        buffer_text(&next, "{\"mode\": \"B\", \"payload\": \"");
        buffer_append(&next, bytes_of(answer.at + around - 2, answer.len - around));
        buffer_text(&next, "\"}");
        answer = ask(b, buffer_bytes(&next));
        if (!succeeded(answer))
            fail_msg("B %d: %.*s", i, (int)answer.len, (const char *)answer.at);
    }
    return taken;
}

/* With these limits, instead of those of set_up. */
static void limit(struct bench *b, size_t frame_bytes, uint32_t depth, uint32_t values)
{
    workspace_clear(&b->workspace);
    b->config.limits =
        (struct limits){.frame_bytes = frame_bytes, .json_depth = depth, .json_values = values};
    workspace_init(&b->workspace, KEYRING_LOOP, &b->config.limits);
}

/* At each limit, and one beyond it: A refuses, or B opens. */
static void what_a_seals_b_opens(void **state)
{
    struct bench *b = *state;
    BUFFER_AUTO request;
    buffer_init(&request, FRAME_MAX);
    static const uint32_t depths[] = {4, 16, 128, JSON_DEPTH_MAX};
    for (size_t i = 0; i < ARRAY_LEN(depths); i++) {
        limit(b, FRAME_MAX, depths[i], 1000000);
        for (uint32_t depth = depths[i] - 2; depth <= depths[i]; depth++) {
            buffer_reset(&request);
            buffer_text(&request, "{\"mode\":\"A\",\"payload\":");
            for (uint32_t k = 0; k < depth; k++)
                buffer_text(&request, "[");
            for (uint32_t k = 0; k < depth; k++)
                buffer_text(&request, "]");
            buffer_text(&request, "}");
            /* the request itself is one level */
            assert_int_equal(a_seals_what_b_opens(b, buffer_bytes(&request)), depth < depths[i]);
        }
    }
    for (uint32_t values = 90; values <= 100; values++) {
        limit(b, FRAME_MAX, 16, 100);
        buffer_reset(&request);
        buffer_text(&request, "{\"mode\":\"A\",\"payload\":[0");
        for (uint32_t k = 1; k < values; k++)
            buffer_text(&request, ",0");
        buffer_text(&request, "]}");
        /* the object, two names, one value and the array are five more */
        assert_int_equal(a_seals_what_b_opens(b, buffer_bytes(&request)), values <= 95);
    }
    static const size_t frames[] = {64, 600, 1024, 1025, 8192};
    for (size_t i = 0; i < ARRAY_LEN(frames); i++) {
        size_t longest = 0;
        limit(b, frames[i], 16, 100);
        for (size_t len = 0; len < frames[i]; len++) {
            buffer_reset(&request);
            buffer_text(&request, "{\"mode\":\"A\",\"payload\":\"");
            for (size_t k = 0; k < len; k++)
                buffer_byte(&request, 'x');
            buffer_text(&request, "\"}");
            if (a_seals_what_b_opens(b, buffer_bytes(&request)))
                longest = b->answer.len - FRAME_HEADER_SIZE;
        }
        /* what is kept free is what B needs, with room for a longer iteration */
        assert_in_range(longest, frames[i] > 1000 ? frames[i] - 64 : 0,
                        frames[i] > 1000 ? frames[i] : 0);
    }
}

/* A state that others sealed, and that B's members would take beyond the limit, stays as it is. */
static void what_b_seals_b_opens(void **state)
{
    struct bench *b = *state;
    BUFFER_AUTO request, before;
    buffer_init(&request, FRAME_MAX);
    buffer_init(&before, FRAME_MAX);
    limit(b, FRAME_MAX, 16, 100);
    for (uint32_t values = 90; values <= 110; values++) {
        buffer_reset(&before);
        buffer_text(&before, "{\"agent\": \"A\", \"iteration\": 1, \"data\": {\"x\": [0");
        for (uint32_t k = 1; k < values; k++)
            buffer_text(&before, ",0");
        buffer_text(&before, "]}}");
        buffer_byte(&before, '\0');
        make_request(&request, "B", (const char *)before.at, first_key);
        /* nine values around the array's, six more by B, and 14 more than in a request */
        if (values + 9 + 6 <= 114)
            assert_true(a_seals_what_b_opens(b, buffer_bytes(&request)));
        else
            assert_error(b, buffer_bytes(&request),
                         values + 9 <= 114 ? "too_many_values" : "state_malformed");
    }
}

static void rotation_keeps_the_previous_key(void **state)
{
    struct bench *b = *state;
    struct held_keys begun;
    BUFFER_AUTO request;
    buffer_init(&request, FRAME_MAX);
    bool rotated;
    keyring_hold(b->service.ring, &begun);
    assert_true(keyring_install(b->service.ring, first_key, &rotated, NULL));
    assert_false(rotated);
    assert_true(keyring_install(b->service.ring, other_key, &rotated, NULL));
    assert_true(rotated);
    /* a request that began before goes on under the old key */
    uint8_t sealed[3 + AEAD_OVERHEAD], plain[3];
    memcpy(sealed + AEAD_NONCE_SIZE, "old", 3);
    assert_true(keyring_seal(&begun, KEYRING_WORKER, sealed, 3, NULL));
    struct aead *old = aead_new(first_key);
    assert_true(aead_open(old, plain, bytes_of(sealed, sizeof sealed)));
    aead_free(old);
    keyring_release(b->service.ring, &begun);
    /* what was sealed under it is opened, and sealed again under the new one */
    make_request(&request, "B", "{\"iteration\":1,\"data\":{}}", first_key);
    open_answer(ask(b, buffer_bytes(&request)), other_key);
    /* beyond the keyring's size the oldest goes */
    for (uint8_t i = 0; i < KEYRING_KEYS_MAX; i++) {
        uint8_t key[AEAD_KEY_SIZE] = {i};
        assert_true(keyring_install(b->service.ring, key, &rotated, NULL));
    }
    assert_error(b, buffer_bytes(&request), "authentication_failed");
}

static void a_key_that_comes_back_is_the_same(void **state)
{
    (void)state;
    struct keyring *ring = keyring_new(1000000);
    struct held_keys before, after;
    bool rotated;
    static const uint8_t oldest[AEAD_KEY_SIZE] = {9};
    assert_true(keyring_install(ring, oldest, &rotated, NULL));
    assert_true(keyring_install(ring, first_key, &rotated, NULL));
    keyring_hold(ring, &before);
    for (int i = 0; i < KEYRING_KEYS_MAX; i++) {
        assert_true(keyring_install(ring, i % 2 == 0 ? other_key : first_key, &rotated, NULL));
        assert_true(rotated);
    }
    /* one object, and so one count of seals; and it took no place from the oldest */
    keyring_hold(ring, &after);
    assert_int_equal(after.count, 3);
    assert_ptr_equal(after.key[0], before.key[0]);
    assert_ptr_equal(after.key[2], before.key[1]);
    keyring_release(ring, &before);
    keyring_release(ring, &after);
    keyring_free(ring);
}

static void a_previous_key_runs_out(void **state)
{
    (void)state;
    struct keyring *ring = keyring_new(0);
    struct held_keys held;
    bool rotated;
    assert_true(keyring_install(ring, first_key, &rotated, NULL));
    assert_true(keyring_install(ring, other_key, &rotated, NULL));
    keyring_hold(ring, &held);
    assert_int_equal(held.count, 1);
    keyring_release(ring, &held);
    keyring_free(ring);
}

static void without_a_key_nothing_is_sealed(void **state)
{
    struct bench *b = *state;
    struct keyring *ring = b->service.ring;
    b->service.ring = keyring_new(0);
    assert_error(b, bytes_text("{\"mode\":\"A\",\"payload\":1}"), "not_configured");
    assert_error(b, bytes_text("{\"mode\":\"B\",\"payload\":\"00\"}"), "too_short");
    assert_error(b,
                 bytes_text("{\"mode\":\"B\",\"payload\":"
                            "\"000102030405060708090a0b0c0d0e0f101112131415161718191a1b\"}"),
                 "not_configured");
    keyring_free(b->service.ring);
    b->service.ring = ring;
}

static void large_requests_give_memory_back(void **state)
{
    struct bench *b = *state;
    struct workspace w;
    BUFFER_AUTO request, answer;
    buffer_init(&request, 16u << 20);
    buffer_init(&answer, 16u << 20);
    b->config.limits.frame_bytes = 16u << 20;
    workspace_init(&w, KEYRING_WORKER, &b->config.limits);
    buffer_text(&request, "{\"mode\":\"A\",\"payload\":[0");
    for (int i = 0; i < 1000000; i++)
        buffer_text(&request, ",0");
    buffer_text(&request, "]}");
    assert_true(request_serve(&b->service, &w, buffer_bytes(&request), &answer));
    assert_int_equal(b->service.errors, 0);
    assert_true(w.built.cap <= 1u << 20);
    assert_true(w.request.cap * sizeof *w.request.nodes <= 1u << 20);
    /* and the number of values is bounded, whatever the frame's limit */
    buffer_truncate(&request, request.len - 2);
    for (int i = 0; i < 200000; i++)
        buffer_text(&request, ",0");
    buffer_text(&request, "]}");
    buffer_reset(&answer);
    assert_true(request_serve(&b->service, &w, buffer_bytes(&request), &answer));
    assert_int_equal(b->service.errors, 1);
    assert_non_null(memmem(answer.at, answer.len, "too_many_values", 15));
    workspace_clear(&w);
}

/* It waits for the session, and what it holds while it waits is counted by nobody. */
static void a_configure_has_few_values(void **state)
{
    static const struct {
        const char *op;
        size_t values;
        const char *code; /* NULL: it goes to the session */
    } rows[] = {
        {"configure", CONFIGURE_VALUES_MAX, NULL},
        {"configure", CONFIGURE_VALUES_MAX + 1, "too_many_values"},
        {"health2", CONFIGURE_VALUES_MAX + 1, "unknown_op"},
    };
    struct bench *b = *state;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        BUFFER_AUTO request;
        buffer_init(&request, 1u << 20);
        buffer_printf(&request, "{\"op\": \"%s\", \"region\": [0", rows[i].op);
        for (size_t values = 6; values < rows[i].values; values++) /* six there are already */
            buffer_text(&request, ",0");
        buffer_text(&request, "]}");
        buffer_reset(&b->answer);
        if (rows[i].code != NULL)
            assert_error(b, buffer_bytes(&request), rows[i].code);
        else
            assert_false(
                request_serve(&b->service, &b->workspace, buffer_bytes(&request), &b->answer));
    }
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(agent_a_begins_a_state),
        TEST(every_seal_has_a_nonce_of_its_own),
        TEST(agent_b_changes_what_it_should),
        TEST(agent_b_refuses_other_states),
        TEST(requests_are_checked),
        TEST(every_changed_bit_is_refused),
        TEST(answers_keep_the_frame_limit),
        TEST(what_a_seals_b_opens),
        TEST(what_b_seals_b_opens),
        TEST(rotation_keeps_the_previous_key),
        TEST(a_key_that_comes_back_is_the_same),
        TEST(a_previous_key_runs_out),
        TEST(without_a_key_nothing_is_sealed),
        TEST(large_requests_give_memory_back),
        TEST(a_configure_has_few_values),
    };
    return cmocka_run_group_tests_name("agents", tests, NULL, NULL);
}
