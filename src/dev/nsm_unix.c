/* SPDX-License-Identifier: Apache-2.0 */
#include "dev/nsm_unix.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/deadline.h"

struct connection {
    int fd; /* -1: to be made anew */
    int64_t timeout_ms;
    struct sockaddr_un address;
};

static void disconnect(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
}

static bool ensure_connected(struct connection *c, struct error *err)
{
    if (c->fd >= 0)
        return true;
    c->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->fd < 0)
        return error_set_errno(err, ERROR_NSM, "no socket");
    if (connect(c->fd, (const struct sockaddr *)&c->address, sizeof c->address) == 0)
        return true;
    (void)error_set_errno(err, ERROR_NSM, "the simulated module at %s cannot be reached",
                          c->address.sun_path);
    disconnect(c);
    return false;
}

static bool send_packet(const struct connection *c, struct bytes request,
                        const struct deadline *deadline, struct error *err)
{
    for (;;) {
        if (!deadline_wait(deadline, c->fd, POLLOUT, err))
            return false;
        if (send(c->fd, request.at, request.len, MSG_NOSIGNAL) >= 0)
            return true;
        if (errno != EAGAIN && errno != EINTR)
            return error_set_errno(err, ERROR_NSM, "the request cannot be sent");
    }
}

/* With MSG_TRUNC recv returns the packet's true length, so one that does not fit is noticed. */
static bool receive_packet(const struct connection *c, uint8_t *response, size_t *response_len,
                           const struct deadline *deadline, struct error *err)
{
    for (;;) {
        if (!deadline_wait(deadline, c->fd, POLLIN, err))
            return false;
        ssize_t got = recv(c->fd, response, NSM_RESPONSE_MAX, MSG_TRUNC);
        if (got > NSM_RESPONSE_MAX)
            return error_set(err, ERROR_NSM, "the answer is longer than %u bytes",
                             NSM_RESPONSE_MAX);
        if (got == 0)
            return error_set(err, ERROR_NSM, "the module closed the connection");
        if (got > 0) {
            *response_len = (size_t)got;
            return true;
        }
        if (errno != EAGAIN && errno != EINTR)
            return error_set_errno(err, ERROR_NSM, "the answer cannot be received");
    }
}

/* After any failure the connection is given up, so that a late answer meets no other request. */
static bool unix_exchange(void *context, struct bytes request, uint8_t *response,
                          size_t *response_len, struct error *err)
{
    struct connection *c = context;
    struct deadline deadline = deadline_in(c->timeout_ms);
    if (ensure_connected(c, err) && send_packet(c, request, &deadline, err) &&
        receive_packet(c, response, response_len, &deadline, err))
        return true;
    disconnect(c);
    return false;
}

static void unix_close(void *context)
{
    struct connection *c = context;
    disconnect(c);
    free(c);
}

bool nsm_open_unix(struct nsm *nsm, const char *path, int64_t timeout_ms, struct error *err)
{
    *nsm = (struct nsm){0};
    struct connection *c = calloc(1, sizeof *c);
    if (c == NULL)
        return error_set(err, ERROR_NSM, "out of memory");
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof c->address.sun_path) {
        free(c);
        return error_set(err, ERROR_NSM, "not a path for a unix socket (1 to %zu bytes): %s",
                         sizeof c->address.sun_path - 1, path);
    }
    c->fd = -1;
    c->timeout_ms = timeout_ms;
    c->address.sun_family = AF_UNIX;
    memcpy(c->address.sun_path, path, len + 1);
    if (!ensure_connected(c, err)) {
        free(c);
        return false;
    }
    nsm->transport =
        (struct nsm_transport){.exchange = unix_exchange, .close = unix_close, .context = c};
    return true;
}
