/* SPDX-License-Identifier: Apache-2.0 */
/* The agents of the reference program, and the table in which to add another. */
#include "enclave/agents.h"

#include <stdio.h>

#include "base/clock.h"
#include "enclave/state.h"

/* "2026-11-22T13:16:23.123456", UTC, as the reference program writes it. */
#define QUOTED_ISO_SIZE (CLOCK_ISO_SIZE + 2)

static struct bytes quoted_now(char out[QUOTED_ISO_SIZE])
{
    out[0] = '"';
    clock_format_iso(out + 1, clock_wall_us());
    out[CLOCK_ISO_SIZE] = '"';
    return bytes_of(out, CLOCK_ISO_SIZE + 1);
}

#define ITERATION_SIZE 24 /* digits and sign of an int64_t, and a terminator */
#define B_MESSAGE      "\"State modified by Agent B\""
/* The most bytes by which B makes a state longer, however often. */
#define B_GROWTH                                                                            \
    (sizeof ", \"processed_by_b\": true, \"b_message\": " B_MESSAGE ", \"b_timestamp\": " + \
     QUOTED_ISO_SIZE + ITERATION_SIZE)

/*
 * A: {"mode": "A", "payload": any} begins a state:
 *     {"agent": "A", "iteration": 1, "data": {"message": …, "input_received": payload,
 *      "timestamp": …}}
 */
static bool agent_a(struct workspace *w, json_value payload, struct buffer *answer,
                    struct error *err)
{
    char now[QUOTED_ISO_SIZE];
    if (payload == JSON_NONE)
        return error_code(err, ERROR_MISSING_PAYLOAD);
    struct buffer *state = agent_begin_state(w);
    agent_leave_room(w, B_GROWTH);
    buffer_text(state,
                "{\"agent\": \"A\", \"iteration\": 1, \"data\": {\"message\": \"Initial state "
                "from Agent A\", \"input_received\": ");
    buffer_append(state, json_raw(&w->request, payload));
    buffer_text(state, ", \"timestamp\": ");
    buffer_append(state, quoted_now(now));
    buffer_text(state, "}}");
    return agent_seal(w, answer, err);
}

/* The state's iteration plus one. It must be an integer, as the reference program leaves it. */
static bool next_iteration(const struct json *state, char out[ITERATION_SIZE], struct error *err)
{
    json_value v = json_member(state, 0, "iteration");
    int64_t count;
    if (v == JSON_NONE || json_type(state, v) != JSON_NUMBER)
        return error_code(err, ERROR_STATE_MALFORMED);
    struct bytes digits = json_raw(state, v);
    for (size_t i = 0; i < digits.len; i++)
        if (memchr(".eE", digits.at[i], 3) != NULL)
            return error_code(err, ERROR_STATE_MALFORMED);
    if (!json_int64(state, v, &count) || count == INT64_MAX)
        return error_code(err, ERROR_ITERATION_OVERFLOW);
    snprintf(out, ITERATION_SIZE, "%lld", (long long)count + 1);
    return true;
}

/*
 * B: {"mode": "B", "payload": hex} continues a state: it changes agent, iteration and three members
 * of data, and no other byte.
 */
static bool agent_b(struct workspace *w, json_value payload, struct buffer *answer,
                    struct error *err)
{
    if (!agent_open(w, payload, err))
        return false;
    json_value data = json_member(&w->state, 0, "data");
    char next[ITERATION_SIZE], now[QUOTED_ISO_SIZE];
    if (data == JSON_NONE || json_type(&w->state, data) != JSON_OBJECT)
        return error_code(err, ERROR_STATE_MALFORMED);
    if (!next_iteration(&w->state, next, err))
        return false;

    const struct member_change in_data[] = {
        {.name = "processed_by_b", .value = bytes_text("true")},
        {.name = "b_message", .value = bytes_text(B_MESSAGE)},
        {.name = "b_timestamp", .value = quoted_now(now)},
    };
    const struct member_changes data_changes = {in_data, ARRAY_LEN(in_data)};
    const struct member_change in_state[] = {
        {.name = "agent", .value = bytes_text("\"B\"")},
        {.name = "iteration", .value = bytes_text(next)},
        {.name = "data", .within = &data_changes},
    };
    agent_begin_state(w);
    agent_copy_changed(w, 0, &(struct member_changes){in_state, ARRAY_LEN(in_state)});
    return agent_seal(w, answer, err);
}

static const struct agent agents[] = {
    {"A", agent_a},
    {"B", agent_b},
};

const struct agent *agent_find(const struct json *doc, json_value v)
{
    for (size_t i = 0; i < ARRAY_LEN(agents); i++)
        if (json_string_is(doc, v, agents[i].mode))
            return &agents[i];
    return NULL;
}
