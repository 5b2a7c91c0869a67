/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session keys: the current TSK, which seals, and those it replaced, which still open for a
 * while. Requests hold the keys they began with, so a rotation drops nothing.
 */
#ifndef ENCLAVE_KEYRING_H
#define ENCLAVE_KEYRING_H

#include "base/buffer.h"
#include "base/error.h"
#include "crypto/aead.h"

/* The current key and three before it; an older one is dropped early. */
#define KEYRING_KEYS_MAX 4
/* Of so many keys the seals are counted; at most those held, and by each thread, are in use. */
#define KEYRING_COUNTS 64

/* Each thread that serves requests has a number, because AEAD contexts are not shared. */
enum keyring_thread { KEYRING_LOOP, KEYRING_WORKER, KEYRING_THREADS };

struct keyring;
struct session_key;

/* The keys of one request, newest first. */
struct held_keys {
    struct session_key *key[KEYRING_KEYS_MAX];
    size_t count; /* 0: not configured yet */
};

MUST_USE struct keyring *keyring_new(int64_t previous_key_ms);
/* No request may hold a key any more. */
void keyring_free(struct keyring *ring);

/*
 * Makes tsk the current key; the one before opens for previous_key_ms more. The key already in
 * force changes nothing (*rotated false), one before it comes back with its count of seals.
 * ERROR_MEMORY and ERROR_CRYPTO leave all as it was.
 */
MUST_USE bool keyring_install(struct keyring *ring, const uint8_t tsk[AEAD_KEY_SIZE], bool *rotated,
                              struct error *err);

/*
 * Wipes the keys that no longer open, unless a request still holds them. Returns when the next one
 * is due (clock_monotonic_ms); INT64_MAX: none is.
 */
int64_t keyring_expire(struct keyring *ring);

void keyring_hold(struct keyring *ring, struct held_keys *held);
void keyring_release(struct keyring *ring, struct held_keys *held);

/*
 * Seals in place: plaintext lies at sealed + AEAD_NONCE_SIZE, plaintext_len bytes, with room for
 * the tag after it. ERROR_NOT_CONFIGURED, ERROR_KEY_EXHAUSTED, ERROR_CRYPTO (nothing is left
 * readable).
 */
MUST_USE bool keyring_seal(const struct held_keys *held, enum keyring_thread thread,
                           uint8_t *sealed, size_t plaintext_len, struct error *err);

/*
 * Opens sealed into plaintext (sealed.len - AEAD_OVERHEAD bytes, not overlapping) under the first
 * key that authenticates it. ERROR_NOT_CONFIGURED, ERROR_TOO_SHORT, ERROR_AUTHENTICATION.
 */
MUST_USE bool keyring_open(const struct held_keys *held, enum keyring_thread thread,
                           struct bytes sealed, uint8_t *plaintext, struct error *err);

#endif
