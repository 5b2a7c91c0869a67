/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "base/log.h"

#define BACKLOG         128
#define ACCEPTS_AT_ONCE 16

static void accept_some(struct event_source *source, uint32_t events)
{
    struct vm_port *port = (struct vm_port *)source; /* its first member */
    int on = 1;
    (void)events;
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return; /* edge-triggered; every tick tries again */
        if (address_is_tcp(&port->bound))
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        vsock_offer(port->ports->vsock, fd, port->listen->cid, port->listen->port);
    }
}

void vm_ports_tick(struct vm_ports *ports)
{
    for (size_t i = 0; i < ports->count; i++)
        accept_some(&ports->port[i].source, 0);
}

bool vm_ports_open(struct vm_ports *ports, const struct vm_options *options, struct error *err)
{
    ports->heartbeat.fd = -1;
    for (size_t i = 0; i < options->listen_count; i++) {
        struct vm_port *port = &ports->port[i];
        *port = (struct vm_port){.source = {.fd = -1, .ready = accept_some},
                                 .ports = ports,
                                 .listen = &options->listens[i]};
        if (!address_listen(&port->listen->address, BACKLOG, &port->source.fd, err))
            return false;
        ports->count++;
        if (!address_bound(port->source.fd, &port->bound, err))
            return false;
    }
    return true;
}

bool vm_ports_serve(struct vm_ports *ports, struct error *err)
{
    for (size_t i = 0; i < ports->count; i++)
        if (!event_add(ports->loop, &ports->port[i].source, EPOLLIN | EPOLLET, err))
            return false;
    return true;
}

static void close_heartbeat(struct vm_ports *ports)
{
    if (ports->heartbeat.fd < 0)
        return;
    event_remove(ports->loop, &ports->heartbeat);
    close(ports->heartbeat.fd);
    ports->heartbeat.fd = -1;
}

void vm_ports_close(struct vm_ports *ports)
{
    if (ports->loop == NULL)
        return;
    close_heartbeat(ports);
    for (size_t i = 0; i < ports->count; i++) {
        struct vm_port *port = &ports->port[i];
        event_remove(ports->loop, &port->source);
        close(port->source.fd);
        address_unlink(&port->listen->address);
    }
    ports->count = 0;
}

static void heartbeat_ready(struct event_source *source, uint32_t events)
{
    struct vm_ports *ports =
        (struct vm_ports *)((char *)source - offsetof(struct vm_ports, heartbeat));
    uint8_t byte;
    ssize_t n = recv(source->fd, &byte, 1, MSG_DONTWAIT);
    (void)events;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    bool right = n == 1 && byte == VM_HEARTBEAT && !ports->started;
    if (right)
        right = send(source->fd, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
    else if (n == 1)
        log_warning("vm: the guest's heartbeat is 0x%02x instead of 0x%02x and is not answered",
                    byte, VM_HEARTBEAT);
    close_heartbeat(ports);
    if (right) {
        ports->started = true;
        ports->on_start(ports->context);
    }
}

int vm_heartbeat_open(void *context)
{
    struct vm_ports *ports = context;
    int pair[2];
    /* Only once, as with nitro-cli: afterwards nobody listens at the port. */
    if (ports->started || ports->heartbeat.fd >= 0) {
        errno = ECONNREFUSED;
        return -1;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    ports->heartbeat = (struct event_source){.fd = pair[1], .ready = heartbeat_ready};
    if (event_add(ports->loop, &ports->heartbeat, EPOLLIN, NULL))
        return pair[0];
    close(pair[0]);
    close(pair[1]);
    ports->heartbeat.fd = -1;
    errno = ENOMEM;
    return -1;
}
