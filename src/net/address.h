/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses as users write them. Here is what an enclave has: vsock:CID:PORT, where CID is a
 * number, "any" (to listen) or "host" (2). sockets/any_address.h adds tcp: and unix: for other
 * programs.
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <sys/socket.h>

#include "base/error.h"
#include "net/deadline.h"

#define ADDRESS_TEXT_MAX 280

/*
 * What a vsock connection that was accepted may hold unread in this kernel, bytes, which no limit
 * of a process counts; Linux's default is 256 KiB. Linux 6.12 has no more answers on the way than
 * this either (virtio_transport_tx_buf_size), so the peer must say early what it has read.
 */
#define ADDRESS_UNREAD_BYTES (16u << 10)
/* What one that was opened may hold: Linux before 6.8 tells its peer what it has read only when
 * less than 64 KiB are free (virtio_transport_stream_do_dequeue), so with this after each read. */
#define ADDRESS_CLIENT_BYTES (64u << 10)

struct address {
    struct sockaddr_storage storage;
    socklen_t len;
    char text[ADDRESS_TEXT_MAX]; /* as it was written, for messages */
    /* What a socket of this family needs before it is bound or connected; NULL: nothing. */
    bool (*prepare)(const struct address *address, int fd, bool to_listen);
};

/* Parses text: ERROR_ADDRESS names the form and, for tcp: and unix:, the program that has them. */
typedef bool address_parser(struct address *out, const char *text, struct error *err);
MUST_USE address_parser address_parse;

/* A listening, non-blocking, close-on-exec socket. ERROR_NO_VSOCK, ERROR_SYSTEM. */
MUST_USE bool address_listen(const struct address *address, int backlog, int *fd,
                             struct error *err);

/* A connected, non-blocking, close-on-exec socket. ERROR_NO_VSOCK, ERROR_NETWORK, ERROR_DEADLINE,
 * ERROR_SYSTEM. */
MUST_USE bool address_connect(const struct address *address, const struct deadline *deadline,
                              int *fd, struct error *err);

#endif
