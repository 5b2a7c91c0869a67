/* SPDX-License-Identifier: Apache-2.0 */
/* What epoll watches: listeners, signals, and the two sides of a connection. */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "host/relay/relay.h"

/* A port that waits for nothing is taken out: epoll would report its errors again and again. */
void port_watch(struct relay *relay, struct port *port, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = port};
    if (port->fd < 0 || (port->watched && port->events == events) ||
        (!port->watched && events == 0))
        return;
    int operation = events == 0 ? EPOLL_CTL_DEL : port->watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
    if (epoll_ctl(relay->epoll_fd, operation, port->fd, &event) != 0)
        log_error("epoll_ctl: %m"); /* its time limit ends it */
    port->watched = events != 0;
    port->events = events;
}

void port_close(struct port *port)
{
    if (port->fd >= 0)
        close(port->fd);
    port->fd = -1;
    port->watched = false;
}

void port_reset(struct port *port)
{
    struct linger none = {.l_onoff = 1};
    if (port->fd >= 0)
        (void)setsockopt(port->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    port_close(port);
}

void port_stop_listening(struct port *port, const struct address *address)
{
    if (port->fd >= 0)
        address_unlink(address);
    port_close(port);
}
