/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/connection.h"

#include <errno.h>
#include <sys/socket.h>

#define END_KIND(id, text, code) [END_##id] = {.name = (text), .error = (code)},
const struct end_kind end_kinds[END_COUNT] = {END_REASONS(END_KIND)};
#undef END_KIND

bool is_passing(int error)
{
    return error == EAGAIN || error == EWOULDBLOCK || error == EINTR || error == ENOBUFS;
}

bool send_some(int fd, struct bytes data, size_t *sent)
{
    *sent = 0;
    while (*sent < data.len) {
        ssize_t n = send(fd, data.at + *sent, data.len - *sent, MSG_NOSIGNAL);
        if (n > 0)
            *sent += (size_t)n;
        else if (n < 0 && errno != EINTR)
            return is_passing(errno);
    }
    return true;
}

bool connection_send(struct connection *c)
{
    size_t sent;
    bool ok = send_some(c->fd, bytes_from(buffer_bytes(&c->out), c->out_sent), &sent);
    c->out_sent += sent;
    if (c->out_sent == c->out.len) {
        buffer_clear(&c->out);
        c->out_sent = 0;
    }
    return ok;
}

bool connection_is_consistent(const struct connection *c)
{
    const enum state state = c->state;
    const bool job = state == STATE_JOB || state == STATE_JOB_LAST;
    const bool sending = state == STATE_SENDING || state == STATE_SENDING_LAST;
    const bool holding = state == STATE_FRAME || state == STATE_READY || state == STATE_SENDING ||
                         state == STATE_JOB;
    return (c->in.len > 0 ? holding : state != STATE_FRAME) &&
           (c->out.len > 0 ? job || sending : !sending) &&
           (c->job != NULL) == (job || state == STATE_JOB_ALONE) &&
           (c->end != END_NONE) == (state >= STATE_JOB_LAST);
}
