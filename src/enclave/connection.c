/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/connection.h"

#define END_KIND(id, text, code) [END_##id] = {.name = (text), .error = (code)},
const struct end_kind end_kinds[END_COUNT] = {END_REASONS(END_KIND)};
#undef END_KIND

bool connection_is_consistent(const struct connection *c)
{
    const enum state state = c->state;
    const bool job = state == STATE_JOB || state == STATE_JOB_LAST;
    const bool sending = state == STATE_SENDING || state == STATE_SENDING_LAST;
    const bool holding = state == STATE_FRAME || state == STATE_SENDING || state == STATE_JOB;
    return (c->in.len > 0 ? holding : state != STATE_FRAME) &&
           (c->out.len > 0 ? job || sending : !sending) &&
           (c->job != NULL) == (job || state == STATE_JOB_ALONE) &&
           (c->end != END_NONE) == (state >= STATE_JOB_LAST);
}
