/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Agents: what the service does with a state. An agent gets the request's payload, builds a state
 * and seals it; state.h has what it needs for that. docs/writing-an-agent.md adds one step by step.
 */
#ifndef ENCLAVE_AGENTS_H
#define ENCLAVE_AGENTS_H

#include "enclave/workspace.h"

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

#endif
