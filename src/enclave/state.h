/* SPDX-License-Identifier: Apache-2.0 */
/* What agents are built with: opening, changing and sealing a state. */
#ifndef ENCLAVE_STATE_H
#define ENCLAVE_STATE_H

#include "base/error.h"
#include "enclave/workspace.h"

/*
 * Opens the payload, a string of hex digits, and parses the state in it, an object, into w->state.
 * ERROR_MISSING_PAYLOAD, ERROR_PAYLOAD_TYPE, ERROR_NOT_HEX, ERROR_TOO_SHORT, ERROR_AUTHENTICATION,
 * ERROR_STATE_MALFORMED, ERROR_NOT_CONFIGURED, ERROR_MEMORY.
 */
MUST_USE bool agent_open(struct workspace *w, json_value payload, struct error *err);

/* Begins a new state and returns the buffer to which the agent appends it. */
struct buffer *agent_begin_state(struct workspace *w);

/*
 * Keeps bytes free in the new state's frame, for what later agents add: a state that leaves less
 * room is refused when it is sealed, while its sender still has what it was made of.
 */
void agent_leave_room(struct workspace *w, size_t bytes);

/*
 * A change to one member of an object: a new value (JSON), which takes the place of the old one or,
 * if the object has no member of that name, comes last; or, where within is given, changes to the
 * object that the member already has as its value.
 */
struct member_change {
    const char *name;
    struct bytes value;
    const struct member_changes *within;
};

struct member_changes {
    const struct member_change *change;
    size_t count; /* at most 64 */
};

/* Appends an object of w->state with the changes to the new state; no other byte changes. */
void agent_copy_changed(struct workspace *w, json_value object,
                        const struct member_changes *changes);

/*
 * Seals the new state and appends {"status": "success", "ciphertext": hex} to the answer.
 * ERROR_RESPONSE_TOO_LARGE, ERROR_TOO_MANY_VALUES, ERROR_NOT_CONFIGURED, ERROR_KEY_EXHAUSTED,
 * ERROR_MEMORY, ERROR_INTERNAL.
 */
MUST_USE bool agent_seal(struct workspace *w, struct buffer *answer, struct error *err);

#endif
