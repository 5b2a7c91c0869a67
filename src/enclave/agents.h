/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents: what the service does with a state. An agent gets the request's payload, builds a state
 * and seals it; what it needs for that is below. docs/writing-an-agent.md adds one step by step.
 */
#ifndef ENCLAVE_AGENTS_H
#define ENCLAVE_AGENTS_H

#include "base/buffer.h"
#include "base/error.h"
#include "codec/json.h"
#include "enclave/config.h"
#include "enclave/keyring.h"

/* What one thread works in, kept from request to request. Plaintext is in secret memory only. */
struct workspace {
    enum keyring_thread thread;
    struct json request;  /* the request's index */
    struct json state;    /* an opened state's index */
    struct buffer text;   /* a payload's hex digits, where they had to be unescaped */
    struct buffer opened; /* a state's plaintext */
    struct buffer sealed; /* AEAD_NONCE_SIZE bytes for the nonce, then the state being built */
    struct held_keys keys;
};

void workspace_init(struct workspace *w, enum keyring_thread thread, const struct limits *limits);
/* Wipes what the request left; gives memory back that only a large one needed. */
void workspace_reset(struct workspace *w);
void workspace_clear(struct workspace *w);

/*
 * An agent's function: payload is a value of w->request (JSON_NONE if the request has none). It
 * ends with agent_seal, or returns false with a code of the list in docs/protocol.md.
 */
typedef bool (*agent_function)(struct workspace *w, json_value payload, struct buffer *answer,
                               struct error *err);

struct agent {
    const char *mode;
    agent_function run;
};

/* The agent that serves the mode in value v of doc; NULL if none does. */
const struct agent *agent_find(const struct json *doc, json_value v);

/*
 * Opens payload, a string of hex digits, and parses what was in it into w->state, an object.
 * ERROR_MISSING_PAYLOAD, ERROR_PAYLOAD_TYPE, ERROR_NOT_HEX, ERROR_TOO_SHORT, ERROR_AUTHENTICATION,
 * ERROR_STATE_MALFORMED, ERROR_NOT_CONFIGURED, ERROR_MEMORY.
 */
MUST_USE bool agent_open(struct workspace *w, json_value payload, struct error *err);

/* Where an agent writes its state: empties it and returns it. */
struct buffer *agent_state(struct workspace *w);

/*
 * What shall become of one member of an object: a new value (JSON), at the member's own place or,
 * where the object has none of that name, at its end. Or, where within is given, changes to the
 * object that the member holds already.
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

/* Appends object of w->state with changes made and all else carried over byte by byte. */
void agent_copy_changed(struct workspace *w, json_value object,
                        const struct member_changes *changes);

/* Seals the state and writes {"status": "success", "ciphertext": hex} as the answer. */
MUST_USE bool agent_seal(struct workspace *w, struct buffer *answer, struct error *err);

#endif
