/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses outside an enclave: vsock:CID:PORT, tcp:HOST:PORT and unix:PATH. HOST is an IPv4
 * address, an IPv6 address in brackets, or "localhost" (127.0.0.1); other names are for
 * host/resolve.h. address_listen and address_connect take all of them: a stale socket file that
 * nobody answers on is replaced, and made with mode 0600; TCP connections have TCP_NODELAY. Port 0
 * asks the kernel for one: address_bound reads it back.
 */
#ifndef SOCKETS_ANY_ADDRESS_H
#define SOCKETS_ANY_ADDRESS_H

#include "net/address.h"

/* ERROR_ADDRESS with the remedy. */
MUST_USE address_parser any_address_parse;

/* The address a socket is bound to. ERROR_SYSTEM. */
MUST_USE bool address_bound(int fd, struct address *out, struct error *err);

/* Removes the socket file of a unix address that was listened on. */
void address_unlink(const struct address *address);

static inline bool address_is_vsock(const struct address *address)
{
    return address->storage.ss_family == AF_VSOCK;
}

static inline bool address_is_unix(const struct address *address)
{
    return address->storage.ss_family == AF_UNIX;
}

static inline bool address_is_tcp(const struct address *address)
{
    return !address_is_vsock(address) && !address_is_unix(address);
}

/* Makes an address of what the resolver found. */
void address_set_tcp(struct address *out, const struct sockaddr *at, socklen_t len);

#endif
