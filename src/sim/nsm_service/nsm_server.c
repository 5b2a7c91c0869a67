/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm_service/nsm_server.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define CLIENTS_MAX 64
#define BACKLOG     64

/* The first two of the descriptors to wait for; the clients follow. */
enum { STOP, LISTENER, FIRST_CLIENT };

struct server {
    struct nsm_engine *engine;
    const struct nsm_fault *fault;
    struct pollfd fds[FIRST_CLIENT + CLIENTS_MAX];
    nfds_t count;
};

bool nsm_server_listen(const struct address *address, int *fd, struct error *err)
{
    if (!address_is_unix(address))
        return error_set(err, ERROR_ADDRESS, "%s is not a unix:PATH address", address->text);
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot make a socket");
    if (address->prepare(address, *fd, true) &&
        bind(*fd, (const struct sockaddr *)&address->storage, address->len) == 0 &&
        listen(*fd, BACKLOG) == 0)
        return true;
    (void)error_set_errno(err, ERROR_SYSTEM, "cannot listen on %s", address->text);
    close(*fd);
    return false;
}

static void admit(struct server *server)
{
    int fd = accept4(server->fds[LISTENER].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (server->count == ARRAY_LEN(server->fds)) {
        log_warning("nsm: a client is closed: there are %d already", CLIENTS_MAX);
        close(fd);
        return;
    }
    server->fds[server->count++] = (struct pollfd){.fd = fd, .events = POLLIN};
}

/* Sends the whole packet, without waiting. False: the client does not read and must be closed. */
static bool send_packet(int fd, struct bytes packet)
{
    ssize_t sent;
    do {
        sent = send(fd, packet.at, packet.len, MSG_NOSIGNAL);
    } while (sent < 0 && errno == EINTR);
    return sent == (ssize_t)packet.len;
}

static bool answer(struct server *server, int fd, struct bytes request)
{
    BUFFER_AUTO response = {.limit = NSM_ENGINE_RESPONSE_MAX};
    nsm_engine_answer(server->engine, request, clock_wall_us() / 1000, &response);
    if (nsm_fault_hits(server->fault, request) && !nsm_fault_apply(server->fault, &response))
        return true;
    return response.len > 0 && send_packet(fd, buffer_bytes(&response));
}

/* Serves one request. False: the client is gone or must be closed. */
static bool serve(struct server *server, int fd)
{
    /* One byte more than a request may have, so that the engine sees one that is too large. */
    uint8_t request[NSM_ENGINE_REQUEST_MAX + 1];
    ssize_t got = recv(fd, request, sizeof request, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR;
    return got > 0 && answer(server, fd, bytes_of(request, (size_t)got));
}

/* The last client takes the place of one that left. */
static void serve_ready(struct server *server)
{
    for (nfds_t i = FIRST_CLIENT; i < server->count;) {
        struct pollfd *client = &server->fds[i];
        if (client->revents == 0 || serve(server, client->fd)) {
            i++;
            continue;
        }
        close(client->fd);
        *client = server->fds[--server->count];
    }
}

bool nsm_server_run(struct nsm_engine *engine, const struct nsm_fault *fault, int listener,
                    int stop_fd, struct error *err)
{
    struct server server = {.engine = engine, .fault = fault, .count = FIRST_CLIENT};
    server.fds[STOP] = (struct pollfd){.fd = stop_fd, .events = POLLIN};
    server.fds[LISTENER] = (struct pollfd){.fd = listener, .events = POLLIN};
    bool ok = true;
    while (server.fds[STOP].revents == 0) {
        if (poll(server.fds, server.count, -1) < 0) {
            ok = errno == EINTR || error_set_errno(err, ERROR_SYSTEM, "poll");
            if (!ok)
                break;
            continue;
        }
        serve_ready(&server);
        if (server.fds[LISTENER].revents != 0)
            admit(&server);
    }
    for (nfds_t i = FIRST_CLIENT; i < server.count; i++)
        close(server.fds[i].fd);
    return ok;
}
