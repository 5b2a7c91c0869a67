/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/room.h"

#include <sys/sysinfo.h>

#include "net/frame.h"

uint64_t room_memory(void)
{
    struct sysinfo machine;
    return sysinfo(&machine) == 0 ? (uint64_t)machine.totalram * machine.mem_unit : UINT64_MAX;
}

int64_t room_connections(uint64_t memory)
{
    int64_t most = (int64_t)(memory / ROOM_PART / ROOM_CONNECTION_BYTES);
    return most > 1 ? most : 1;
}

/* What c takes of the room that all share if it holds more bytes than now. */
static size_t share(const struct connection *c, size_t more)
{
    size_t holds = c->in.cap + c->out.cap + c->job_bytes + more;
    return holds > ROOM_OWN_BYTES ? holds - ROOM_OWN_BYTES : 0;
}

void room_account(struct traffic *t, struct connection *c)
{
    size_t now = share(c, 0);
    t->buffered = t->buffered - c->accounted + now;
    c->accounted = now;
}

bool room_for(const struct traffic *t, const struct connection *c, size_t more)
{
    size_t wanted = share(c, more);
    return wanted == 0 || t->buffered - c->accounted + wanted <= t->limits->buffered_bytes;
}

bool room_for_input(const struct traffic *t, struct connection *c, size_t more, size_t whole)
{
    size_t most = FRAME_HEADER_SIZE + t->limits->frame_bytes;
    size_t least = c->in.len + more > ROOM_OWN_BYTES ? c->in.len + more : ROOM_OWN_BYTES;
    whole = whole < most ? whole : most;
    c->in.limit = whole > least ? whole : least;
    size_t grown = buffer_cap_after(&c->in, more);
    return room_for(t, c, grown - c->in.cap);
}
