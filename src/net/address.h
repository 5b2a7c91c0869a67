/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as users write them: vsock:CID:PORT, tcp:HOST:PORT, unix:PATH. CID is a number or "any"
 * (to listen) or "host" (2); HOST a name, an IPv4 address or an IPv6 address in brackets. enclaved
 * itself resolves no names: it takes numeric addresses only (address_parse does not look one up;
 * address_resolve does, in the programs outside).
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <sys/socket.h>

#include "base/error.h"
#include "net/deadline.h"

#define ADDRESS_TEXT_MAX 280

enum address_family { ADDRESS_VSOCK, ADDRESS_TCP, ADDRESS_UNIX };

struct address {
    enum address_family family;
    struct sockaddr_storage storage;
    socklen_t len;
    char text[ADDRESS_TEXT_MAX]; /* canonical, for messages */
};

/*
 * Parses text. tcp:HOST takes a numeric address or "localhost" (127.0.0.1); other names are
 * ERROR_ADDRESS with the remedy.
 */
MUST_USE bool address_parse(struct address *out, const char *text, struct error *err);

/*
 * A listening, non-blocking, close-on-exec socket. unix: a stale socket file that nobody answers on
 * is replaced; mode 0600. Port 0 asks the kernel for one: read it back with address_of. Errors:
 * ERROR_NO_VSOCK (names tcp: and unix: as alternatives), ERROR_SYSTEM.
 */
MUST_USE bool address_listen(const struct address *address, int backlog, int *fd,
                             struct error *err);

/* A connected, non-blocking, close-on-exec socket, TCP_NODELAY set. ERROR_NETWORK, ERROR_DEADLINE.
 */
MUST_USE bool address_connect(const struct address *address, const struct deadline *deadline,
                              int *fd, struct error *err);

/* The address a socket is bound to. */
MUST_USE bool address_of(int fd, struct address *out, struct error *err);

#endif
