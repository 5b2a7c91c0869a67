/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/keyring.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/hash.h"

/* Nonces are drawn from the generator many at a time: one draw costs as much as a short seal. */
#define NONCE_POOL 256

struct thread_part {
    struct aead *aead;
    uint8_t nonces[NONCE_POOL][AEAD_NONCE_SIZE];
    size_t nonces_left;
};

/* Of more keys than are held, so that one that was dropped and comes back counts on. */
struct key_count {
    uint8_t id[SHA256_SIZE]; /* of the TSK */
    atomic_uint_fast64_t seals;
    unsigned users; /* keys of that id, held or dropped and not yet let go */
};

struct session_key {
    struct thread_part part[KEYRING_THREADS];
    struct key_count *count;
    _Atomic int64_t opens_until_ms; /* INT64_MAX while current */
    unsigned holders;               /* under the ring's lock */
};

struct keyring {
    pthread_mutex_t lock;
    int64_t previous_key_ms;
    struct held_keys keys; /* the ring holds each of them once */
    struct key_count counts[KEYRING_COUNTS];
    uint64_t seals_forgotten; /* no count that was given up was higher */
};

/*
 * The count of the key of that id. For a new one that of a key not in use gives way, the lowest
 * one: an exhausted key stays known, and a key that is not has at most seals_forgotten.
 */
static struct key_count *count_of(struct keyring *ring, const uint8_t id[SHA256_SIZE])
{
    struct key_count *lowest = NULL;
    for (struct key_count *c = ring->counts; c < ring->counts + KEYRING_COUNTS; c++) {
        if (memcmp(c->id, id, SHA256_SIZE) == 0)
            return c;
        if (c->users == 0 && (lowest == NULL || c->seals < lowest->seals))
            lowest = c;
    }
    if (lowest != NULL) {
        if (ring->seals_forgotten < lowest->seals)
            ring->seals_forgotten = lowest->seals;
        memcpy(lowest->id, id, SHA256_SIZE);
        lowest->seals = ring->seals_forgotten;
    }
    return lowest;
}

/* Under the ring's lock, because of the count. */
static void key_free(struct session_key *key)
{
    if (key == NULL)
        return;
    key->count->users--;
    for (size_t i = 0; i < KEYRING_THREADS; i++)
        aead_free(key->part[i].aead);
    secret_free(key, sizeof *key);
}

static struct session_key *key_new(struct key_count *count, const uint8_t tsk[AEAD_KEY_SIZE])
{
    struct session_key *key = count == NULL ? NULL : secret_alloc(sizeof *key);
    if (key == NULL)
        return NULL;
    key->count = count;
    count->users++;
    key->holders = 1;
    atomic_init(&key->opens_until_ms, INT64_MAX);
    for (size_t i = 0; i < KEYRING_THREADS; i++) {
        key->part[i].aead = aead_new(tsk);
        if (key->part[i].aead == NULL) {
            key_free(key);
            return NULL;
        }
    }
    return key;
}

struct keyring *keyring_new(int64_t previous_key_ms)
{
    struct keyring *ring = calloc(1, sizeof *ring);
    if (ring == NULL)
        return NULL;
    pthread_mutex_init(&ring->lock, NULL);
    ring->previous_key_ms = previous_key_ms;
    return ring;
}

void keyring_free(struct keyring *ring)
{
    if (ring == NULL)
        return;
    for (size_t i = 0; i < ring->keys.count; i++)
        key_free(ring->keys.key[i]);
    pthread_mutex_destroy(&ring->lock);
    free(ring);
}

/* Under the lock. */
static void drop(struct session_key *key)
{
    if (--key->holders == 0)
        key_free(key);
}

/* Under the lock: forgets keys that no longer open anything. */
static void drop_expired(struct keyring *ring, int64_t now)
{
    while (ring->keys.count > 1 && ring->keys.key[ring->keys.count - 1]->opens_until_ms <= now)
        drop(ring->keys.key[--ring->keys.count]);
}

/* The place of the key with that count among the keys held; their number if it is none of them. */
static size_t place_of(const struct keyring *ring, const struct key_count *count)
{
    size_t place = 0;
    while (place < ring->keys.count && ring->keys.key[place]->count != count)
        place++;
    return place;
}

/* Makes key, which is not the current one, the current one; it comes from place, or is new. */
static void put_first(struct keyring *ring, struct session_key *key, size_t place)
{
    int64_t now = clock_monotonic_ms();
    if (ring->keys.count > 0)
        ring->keys.key[0]->opens_until_ms = now + ring->previous_key_ms;
    if (place == KEYRING_KEYS_MAX)
        drop(ring->keys.key[--place]);
    else if (place == ring->keys.count)
        ring->keys.count++;
    for (size_t i = place; i > 0; i--)
        ring->keys.key[i] = ring->keys.key[i - 1];
    ring->keys.key[0] = key;
    key->opens_until_ms = INT64_MAX;
    drop_expired(ring, now);
}

bool keyring_install(struct keyring *ring, const uint8_t tsk[AEAD_KEY_SIZE], bool *rotated,
                     struct error *err)
{
    uint8_t id[SHA256_SIZE];
    *rotated = false;
    if (!sha256(id, bytes_of(tsk, AEAD_KEY_SIZE)))
        return error_set(err, ERROR_CRYPTO, "the session key cannot be hashed");
    pthread_mutex_lock(&ring->lock);
    struct key_count *count = count_of(ring, id);
    size_t place = place_of(ring, count);
    struct session_key *key =
        place < ring->keys.count ? ring->keys.key[place] : key_new(count, tsk);
    *rotated = key != NULL && ring->keys.count > 0 && key != ring->keys.key[0];
    if (key != NULL && (ring->keys.count == 0 || key != ring->keys.key[0]))
        put_first(ring, key, place);
    pthread_mutex_unlock(&ring->lock);
    return key != NULL || error_set(err, ERROR_MEMORY, "no locked memory for the session key");
}

int64_t keyring_expire(struct keyring *ring)
{
    int64_t next = INT64_MAX;
    pthread_mutex_lock(&ring->lock);
    if (ring->keys.count > 1)
        drop_expired(ring, clock_monotonic_ms());
    if (ring->keys.count > 1)
        next = ring->keys.key[ring->keys.count - 1]->opens_until_ms;
    pthread_mutex_unlock(&ring->lock);
    return next;
}

void keyring_hold(struct keyring *ring, struct held_keys *held)
{
    pthread_mutex_lock(&ring->lock);
    if (ring->keys.count > 1)
        drop_expired(ring, clock_monotonic_ms());
    *held = ring->keys;
    for (size_t i = 0; i < held->count; i++)
        held->key[i]->holders++;
    pthread_mutex_unlock(&ring->lock);
}

void keyring_release(struct keyring *ring, struct held_keys *held)
{
    pthread_mutex_lock(&ring->lock);
    for (size_t i = 0; i < held->count; i++)
        drop(held->key[i]);
    pthread_mutex_unlock(&ring->lock);
    held->count = 0;
}

/* Takes a nonce that was never used: 96 random bits. */
static bool next_nonce(struct thread_part *part, uint8_t out[AEAD_NONCE_SIZE])
{
    if (part->nonces_left == 0) {
        if (!random_bytes(part->nonces[0], sizeof part->nonces))
            return false;
        part->nonces_left = NONCE_POOL;
    }
    memcpy(out, part->nonces[--part->nonces_left], AEAD_NONCE_SIZE);
    return true;
}

bool keyring_seal(const struct held_keys *held, enum keyring_thread thread, uint8_t *sealed,
                  size_t plaintext_len, struct error *err)
{
    struct bytes plaintext = bytes_of(sealed + AEAD_NONCE_SIZE, plaintext_len);
    enum error_code code = ERROR_NOT_CONFIGURED;
    if (held->count > 0) {
        struct session_key *key = held->key[0];
        struct thread_part *part = &key->part[thread];
        if (atomic_fetch_add_explicit(&key->count->seals, 1, memory_order_relaxed) >=
            AEAD_SEALS_MAX) {
            /* Never counted down, so 2^64 further tries would be needed to pass again. */
            code = ERROR_KEY_EXHAUSTED;
        } else if (next_nonce(part, sealed) && aead_seal(part->aead, sealed, plaintext)) {
            return true;
        } else {
            code = ERROR_CRYPTO;
        }
    }
    wipe(sealed, plaintext_len + AEAD_OVERHEAD);
    return error_code(err, code);
}

bool keyring_open(const struct held_keys *held, enum keyring_thread thread, struct bytes sealed,
                  uint8_t *plaintext, struct error *err)
{
    if (held->count == 0)
        return error_code(err, ERROR_NOT_CONFIGURED);
    if (sealed.len < AEAD_OVERHEAD)
        return error_code(err, ERROR_TOO_SHORT);
    for (size_t i = 0; i < held->count; i++)
        if (aead_open(held->key[i]->part[thread].aead, plaintext, sealed))
            return true;
    return error_code(err, ERROR_AUTHENTICATION);
}
