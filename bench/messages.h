/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that the load generator sends, and what a right answer to each looks like. */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include "base/bytes.h"

enum mode { MODE_A, MODE_B };

/* One message: 4 bytes of length, then JSON. Owns its memory. */
struct message {
    uint8_t *at;
    size_t len;
    size_t cap;
};

void message_clear(struct message *m);

/*
 * {"mode":"A","payload":…} with a payload of exactly size >= 2 bytes of JSON: a list of records, or
 * one string of ASCII text. False: no memory.
 */
MUST_USE bool message_mode_a(struct message *m, size_t size, bool text);

/* {"mode":"B","payload":"…"} around hex digits, replacing what m held. */
MUST_USE bool message_mode_b(struct message *m, struct bytes hex);

/* How many hex digits a state sealed by agent A has, as the shortest encoding of it. */
size_t sealed_digits(size_t payload_size);

/*
 * Looks at an answer (without its length): true if it is {"status":"success","ciphertext":"…"} with
 * at least least_digits of hex, which *hex then views.
 */
MUST_USE bool answer_ciphertext(struct bytes answer, size_t least_digits, struct bytes *hex);

#endif
