/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyring, with a clock, memory and random numbers that a test decides. Its source is included,
 * so that a count of seals need not be reached by sealing.
 */
#include "tests/unit/check.h"

#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/hash.h"

static _Atomic int64_t now_ms;
static atomic_size_t keys_alive;
static bool no_memory, no_random;

static int64_t read_clock(void)
{
    return now_ms;
}

static void *allocate_memory(size_t size)
{
    void *at = no_memory ? NULL : secret_alloc(size);
    keys_alive += at != NULL;
    return at;
}

static void release_memory(void *at, size_t size)
{
    keys_alive--;
    secret_free(at, size);
}

static bool draw_random(uint8_t *out, size_t len)
{
    return !no_random && random_bytes(out, len);
}

#define clock_monotonic_ms read_clock
#define secret_alloc       allocate_memory
#define secret_free        release_memory
#define random_bytes       draw_random
#include "enclave/keyring.c"

#define GRACE_MS 1000
#define TEXT     "thirty-one bytes of some secret"
#define TEXT_LEN (sizeof TEXT - 1)

struct sealed {
    uint8_t at[TEXT_LEN + AEAD_OVERHEAD];
};

/* Key number n; each differs from the others in its last byte only. */
static const uint8_t *tsk(uint8_t n)
{
    static _Thread_local uint8_t key[AEAD_KEY_SIZE];
    memset(key, 0x5a, sizeof key);
    key[AEAD_KEY_SIZE - 1] = n;
    return key;
}

static bool install(struct keyring *ring, uint8_t n)
{
    bool rotated = false;
    struct error err = {0};
    assert_true(keyring_install(ring, tsk(n), &rotated, &err));
    assert_int_equal(err.code, ERROR_NONE);
    return rotated;
}

static enum error_code seal_held(const struct held_keys *held, struct sealed *out)
{
    struct error err = {0};
    memcpy(out->at + AEAD_NONCE_SIZE, TEXT, TEXT_LEN);
    bool ok = keyring_seal(held, KEYRING_LOOP, out->at, TEXT_LEN, &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    return err.code;
}

static enum error_code seal(struct keyring *ring, struct sealed *out)
{
    struct held_keys held;
    keyring_hold(ring, &held);
    enum error_code code = seal_held(&held, out);
    keyring_release(ring, &held);
    assert_int_equal(held.count, 0);
    return code;
}

static enum error_code open_held(const struct held_keys *held, const struct sealed *in)
{
    static const uint8_t zero[TEXT_LEN];
    uint8_t plaintext[TEXT_LEN] = {0};
    struct error err = {0};
    bool ok = keyring_open(held, KEYRING_WORKER, bytes_of(in->at, sizeof in->at), plaintext, &err);
    assert_int_equal(ok, err.code == ERROR_NONE);
    assert_memory_equal(plaintext, ok ? TEXT : (const char *)zero, TEXT_LEN);
    return err.code;
}

static enum error_code open_sealed(struct keyring *ring, const struct sealed *in)
{
    struct held_keys held;
    keyring_hold(ring, &held);
    enum error_code code = open_held(&held, in);
    keyring_release(ring, &held);
    return code;
}

static void assert_wiped(const struct sealed *sealed)
{
    static const struct sealed zero;
    assert_memory_equal(sealed->at, zero.at, sizeof zero.at);
}

static int begin(void **state)
{
    now_ms = 5000;
    no_memory = no_random = false;
    *state = keyring_new(GRACE_MS);
    return *state == NULL;
}

/* Whatever a test did, no key is left. */
static int end(void **state)
{
    keyring_free(*state);
    return keys_alive != 0;
}

static void without_a_key_nothing_is_sealed_or_opened(void **state)
{
    struct sealed sealed;
    memset(&sealed, 7, sizeof sealed);
    assert_int_equal(open_sealed(*state, &sealed), ERROR_NOT_CONFIGURED);
    assert_int_equal(seal(*state, &sealed), ERROR_NOT_CONFIGURED);
    assert_wiped(&sealed);
}

static void what_is_sealed_opens(void **state)
{
    struct sealed first, second;
    assert_false(install(*state, 1));
    assert_int_equal(seal(*state, &first), ERROR_NONE);
    assert_int_equal(seal(*state, &second), ERROR_NONE);
    assert_memory_not_equal(first.at, second.at, AEAD_NONCE_SIZE);
    assert_int_equal(open_sealed(*state, &first), ERROR_NONE);
    assert_int_equal(open_sealed(*state, &second), ERROR_NONE);
    for (size_t i = 0; i < sizeof first.at; i++) {
        struct sealed changed = first;
        changed.at[i] ^= 0x10;
        assert_int_equal(open_sealed(*state, &changed), ERROR_AUTHENTICATION);
    }
}

static void a_sealed_form_has_a_least_length(void **state)
{
    uint8_t sealed[AEAD_OVERHEAD], plaintext[1];
    struct held_keys held;
    struct error err = {0};
    install(*state, 1);
    keyring_hold(*state, &held);
    assert_true(keyring_seal(&held, KEYRING_LOOP, sealed, 0, &err));
    for (size_t len = 0; len < sizeof sealed; len++) {
        assert_false(keyring_open(&held, KEYRING_LOOP, bytes_of(sealed, len), plaintext, &err));
        assert_int_equal(err.code, ERROR_TOO_SHORT);
    }
    assert_true(
        keyring_open(&held, KEYRING_LOOP, bytes_of(sealed, sizeof sealed), plaintext, &err));
    keyring_release(*state, &held);
}

/* More nonces than are drawn from the generator at once; none comes twice. */
static void nonces_do_not_repeat(void **state)
{
    static uint8_t seen[3 * NONCE_POOL][AEAD_NONCE_SIZE];
    struct held_keys held;
    install(*state, 1);
    keyring_hold(*state, &held);
    for (size_t i = 0; i < ARRAY_LEN(seen); i++) {
        struct sealed sealed;
        assert_int_equal(seal_held(&held, &sealed), ERROR_NONE);
        memcpy(seen[i], sealed.at, AEAD_NONCE_SIZE);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(seen[i], seen[j], AEAD_NONCE_SIZE);
    }
    keyring_release(*state, &held);
}

static void the_previous_key_opens_for_a_while(void **state)
{
    struct sealed before, after;
    install(*state, 1);
    assert_int_equal(seal(*state, &before), ERROR_NONE);
    assert_true(install(*state, 2));
    assert_int_equal(seal(*state, &after), ERROR_NONE);
    now_ms += GRACE_MS - 1;
    assert_int_equal(open_sealed(*state, &before), ERROR_NONE);
    assert_int_equal(keys_alive, 2);
    now_ms += 1;
    assert_int_equal(open_sealed(*state, &before), ERROR_AUTHENTICATION);
    assert_int_equal(keys_alive, 1);
    /* the current one opens for ever */
    now_ms += INT64_C(1) << 40;
    assert_int_equal(open_sealed(*state, &after), ERROR_NONE);
}

static void the_key_in_force_changes_nothing(void **state)
{
    struct sealed sealed;
    install(*state, 1);
    install(*state, 2);
    assert_int_equal(seal(*state, &sealed), ERROR_NONE);
    now_ms += GRACE_MS;
    assert_false(install(*state, 2));
    now_ms += GRACE_MS;
    assert_int_equal(open_sealed(*state, &sealed), ERROR_NONE);
    assert_int_equal(keys_alive, 1);
}

/* A key that comes back is the same key: its seals are counted on, and it does not expire. */
static void a_key_that_comes_back_keeps_its_count(void **state)
{
    struct sealed sealed, other;
    struct held_keys held;
    install(*state, 1);
    assert_int_equal(seal(*state, &sealed), ERROR_NONE);
    assert_true(install(*state, 2));
    assert_int_equal(seal(*state, &other), ERROR_NONE);
    assert_true(install(*state, 1));
    assert_int_equal(keys_alive, 2);
    keyring_hold(*state, &held);
    assert_int_equal(held.count, 2);
    assert_int_equal(held.key[0]->count->seals, 1);
    keyring_release(*state, &held);
    now_ms += GRACE_MS;
    assert_int_equal(open_sealed(*state, &sealed), ERROR_NONE);
    assert_int_equal(open_sealed(*state, &other), ERROR_AUTHENTICATION);
}

static void the_oldest_of_too_many_is_dropped(void **state)
{
    struct sealed sealed[KEYRING_KEYS_MAX + 1];
    for (uint8_t n = 0; n <= KEYRING_KEYS_MAX; n++) {
        assert_int_equal(install(*state, n), n > 0);
        assert_int_equal(seal(*state, &sealed[n]), ERROR_NONE);
    }
    assert_int_equal(keys_alive, KEYRING_KEYS_MAX);
    assert_int_equal(open_sealed(*state, &sealed[0]), ERROR_AUTHENTICATION);
    for (size_t n = 1; n <= KEYRING_KEYS_MAX; n++)
        assert_int_equal(open_sealed(*state, &sealed[n]), ERROR_NONE);
}

/* A request ends with the keys that it began with, whatever became of them since. */
static void a_request_keeps_its_keys(void **state)
{
    struct sealed before, during;
    struct held_keys held;
    install(*state, 1);
    assert_int_equal(seal(*state, &before), ERROR_NONE);
    keyring_hold(*state, &held);
    for (uint8_t n = 2; n < 2 + 2 * KEYRING_KEYS_MAX; n++)
        install(*state, n);
    now_ms += GRACE_MS;
    assert_int_equal(open_sealed(*state, &before), ERROR_AUTHENTICATION);
    assert_int_equal(keys_alive, 2);
    assert_int_equal(seal_held(&held, &during), ERROR_NONE);
    assert_int_equal(open_held(&held, &before), ERROR_NONE);
    assert_int_equal(open_held(&held, &during), ERROR_NONE);
    keyring_release(*state, &held);
    assert_int_equal(keys_alive, 1);
}

/* 2^32 seals and not one more, and no try after that counts from the start again. */
static void a_key_is_exhausted(void **state)
{
    struct sealed sealed, last;
    struct held_keys held;
    install(*state, 1);
    keyring_hold(*state, &held);
    held.key[0]->count->seals = AEAD_SEALS_MAX - 1;
    assert_int_equal(seal_held(&held, &last), ERROR_NONE);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(seal_held(&held, &sealed), ERROR_KEY_EXHAUSTED);
        assert_wiped(&sealed);
    }
    assert_int_equal(open_held(&held, &last), ERROR_NONE);
    keyring_release(*state, &held);
    /* it is exhausted still when it comes back; another one is not */
    install(*state, 2);
    assert_int_equal(seal(*state, &sealed), ERROR_NONE);
    install(*state, 1);
    assert_int_equal(seal(*state, &sealed), ERROR_KEY_EXHAUSTED);
}

static uint64_t seals_of_current(struct keyring *ring)
{
    struct held_keys held;
    keyring_hold(ring, &held);
    uint64_t seals = held.key[0]->count->seals;
    keyring_release(ring, &held);
    return seals;
}

/* However many keys came after it, and whether a request still held it when it was dropped. */
static void a_dropped_key_keeps_its_count(void **state)
{
    struct sealed sealed;
    struct held_keys held, later;
    install(*state, 1);
    keyring_hold(*state, &held);
    held.key[0]->count->seals = AEAD_SEALS_MAX - 2;
    for (uint8_t n = 2; n < 2 + KEYRING_KEYS_MAX; n++)
        install(*state, n);
    assert_int_equal(seal_held(&held, &sealed), ERROR_NONE);
    install(*state, 1);
    assert_int_equal(keys_alive, KEYRING_KEYS_MAX + 1);
    keyring_hold(*state, &later);
    assert_int_equal(seal_held(&later, &sealed), ERROR_NONE);
    keyring_release(*state, &later);
    /* both are the same key, whatever was made of it */
    assert_int_equal(seal_held(&held, &sealed), ERROR_KEY_EXHAUSTED);
    keyring_release(*state, &held);
    for (unsigned n = 2; n < 250; n++) {
        install(*state, (uint8_t)n);
        assert_int_equal(seal(*state, &sealed), ERROR_NONE);
        /* those that were forgotten, or may have been, count from what they had at most */
        assert_in_range(seals_of_current(*state), 1, 8);
    }
    install(*state, 1);
    assert_int_equal(seal(*state, &sealed), ERROR_KEY_EXHAUSTED);
    install(*state, 2);
    assert_in_range(seals_of_current(*state), 1, 8);
}

/* Without any request, and the next is due when its time is. */
static void an_expired_key_is_wiped(void **state)
{
    struct held_keys held;
    assert_int_equal(keyring_expire(*state), INT64_MAX);
    install(*state, 1);
    assert_int_equal(keyring_expire(*state), INT64_MAX);
    install(*state, 2);
    now_ms += 100;
    install(*state, 3);
    assert_int_equal(keyring_expire(*state), 5000 + GRACE_MS);
    now_ms = 5000 + GRACE_MS - 1;
    assert_int_equal(keyring_expire(*state), 5000 + GRACE_MS);
    assert_int_equal(keys_alive, 3);
    now_ms++;
    assert_int_equal(keyring_expire(*state), 5100 + GRACE_MS);
    assert_int_equal(keys_alive, 2);
    keyring_hold(*state, &held);
    now_ms += 1000;
    assert_int_equal(keyring_expire(*state), INT64_MAX);
    assert_int_equal(keys_alive, 2); /* a request still opens with it */
    keyring_release(*state, &held);
    assert_int_equal(keys_alive, 1);
}

static void without_random_numbers_nothing_is_sealed(void **state)
{
    struct sealed sealed;
    install(*state, 1);
    no_random = true;
    assert_int_equal(seal(*state, &sealed), ERROR_CRYPTO);
    assert_wiped(&sealed);
    no_random = false;
    assert_int_equal(seal(*state, &sealed), ERROR_NONE);
}

static void without_memory_all_stays_as_it_was(void **state)
{
    struct sealed sealed;
    struct error err = {0};
    bool rotated = true;
    no_memory = true;
    assert_false(keyring_install(*state, tsk(1), &rotated, &err));
    assert_int_equal(err.code, ERROR_MEMORY);
    assert_false(rotated);
    assert_int_equal(seal(*state, &sealed), ERROR_NOT_CONFIGURED);
    no_memory = false;
    install(*state, 1);
    assert_int_equal(seal(*state, &sealed), ERROR_NONE);
    no_memory = true;
    assert_false(keyring_install(*state, tsk(2), &rotated, &err));
    assert_false(rotated);
    now_ms += GRACE_MS;
    assert_int_equal(open_sealed(*state, &sealed), ERROR_NONE);
    /* a key that is there already needs none */
    assert_false(install(*state, 1));
}

/* What one thread seals and opens while another one rotates. */
struct user {
    pthread_t thread;
    struct keyring *ring;
    enum keyring_thread number;
    const atomic_bool *stop;
    unsigned served, failed;
};

static void *use(void *context)
{
    struct user *user = context;
    while (!*user->stop || user->served < 100) {
        struct held_keys held;
        struct sealed sealed;
        uint8_t plaintext[TEXT_LEN];
        struct error err = {0};
        keyring_hold(user->ring, &held);
        memcpy(sealed.at + AEAD_NONCE_SIZE, TEXT, TEXT_LEN);
        bool ok = keyring_seal(&held, user->number, sealed.at, TEXT_LEN, &err) &&
                  keyring_open(&held, user->number, bytes_of(sealed.at, sizeof sealed.at),
                               plaintext, &err) &&
                  memcmp(plaintext, TEXT, TEXT_LEN) == 0;
        keyring_release(user->ring, &held);
        user->served++;
        user->failed += !ok;
    }
    return NULL;
}

/* The daemon's two threads that serve, beside the session's, which rotates: no request fails. */
static void rotation_while_others_seal(void **state)
{
    atomic_bool stop = false;
    struct user users[KEYRING_THREADS];
    install(*state, 0);
    for (size_t i = 0; i < KEYRING_THREADS; i++) {
        users[i] = (struct user){.ring = *state, .number = (enum keyring_thread)i, .stop = &stop};
        assert_int_equal(pthread_create(&users[i].thread, NULL, use, &users[i]), 0);
    }
    for (unsigned i = 1; i <= 2000; i++) {
        install(*state, (uint8_t)(i % 7));
        now_ms += GRACE_MS / 3;
    }
    stop = true;
    for (size_t i = 0; i < KEYRING_THREADS; i++) {
        pthread_join(users[i].thread, NULL);
        assert_in_range(users[i].served, 100, UINT32_MAX);
        assert_int_equal(users[i].failed, 0);
    }
    assert_in_range(keys_alive, 1, KEYRING_KEYS_MAX);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_key_nothing_is_sealed_or_opened),
        TEST(what_is_sealed_opens),
        TEST(a_sealed_form_has_a_least_length),
        TEST(nonces_do_not_repeat),
        TEST(the_previous_key_opens_for_a_while),
        TEST(the_key_in_force_changes_nothing),
        TEST(a_key_that_comes_back_keeps_its_count),
        TEST(the_oldest_of_too_many_is_dropped),
        TEST(a_request_keeps_its_keys),
        TEST(a_key_is_exhausted),
        TEST(a_dropped_key_keeps_its_count),
        TEST(an_expired_key_is_wiped),
        TEST(without_random_numbers_nothing_is_sealed),
        TEST(without_memory_all_stays_as_it_was),
        TEST(rotation_while_others_seal),
    };
    return cmocka_run_group_tests_name("keyring", tests, NULL, NULL);
}
