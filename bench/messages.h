/* SPDX-License-Identifier: Apache-2.0 */
/* The requests that the load generator sends, and the check of the answers. */
#ifndef BENCH_MESSAGES_H
#define BENCH_MESSAGES_H

#include "base/bytes.h"

enum mode { MODE_A, MODE_B };

/* A list of small records, one string of ASCII text, or a list of empty objects. */
enum payload { PAYLOAD_RECORDS, PAYLOAD_TEXT, PAYLOAD_OBJECTS };

/* One message: 4 bytes of length, then JSON. Owns its memory. */
struct message {
    uint8_t *at;
    size_t len;
    size_t cap;
};

void message_clear(struct message *m);

/* {"mode":"A","payload":…} with a payload of exactly size >= 2 bytes of JSON. False: no memory. */
MUST_USE bool message_mode_a(struct message *m, size_t size, enum payload payload);

/* {"op":"health"} */
MUST_USE bool message_health(struct message *m);

/* {"mode":"B","payload":"…"} around hex digits, replacing what m held. */
MUST_USE bool message_mode_b(struct message *m, struct bytes hex);

/* The least number of hex digits that agent A's state with a payload of size has when sealed. */
size_t sealed_digits(size_t payload_size);

/*
 * Whether an answer, without its length, is {"status":"success","ciphertext":"…"} with at least
 * least_digits of hex, of which *hex becomes a view.
 */
MUST_USE bool answer_ciphertext(struct bytes answer, size_t least_digits, struct bytes *hex);

/* Whether an answer begins with {"status":"success". */
MUST_USE bool answer_success(struct bytes answer);

#endif
