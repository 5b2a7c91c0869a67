/* SPDX-License-Identifier: Apache-2.0 */
/* A connection to enclaved: requests out, answers in, one at a time (docs/protocol.md). */
#ifndef HOST_CLIENT_CLIENT_H
#define HOST_CLIENT_CLIENT_H

#include "codec/json.h"
#include "sockets/frame_io.h"

struct client {
    int fd;             /* -1: not connected */
    int stop_fd;        /* readable: give up; -1: none */
    int64_t timeout_ms; /* of each exchange, and of connecting */
    size_t frame_limit; /* longest answer accepted, bytes */
    struct buffer text; /* the last answer, and */
    struct json answer; /* its index: an object with a status */
};

/* Allocates nothing. stop_fd may be -1. */
void client_init(struct client *client, int64_t timeout_ms, size_t frame_limit, int stop_fd);
/* Closes and forgets the last answer; the limits stay. */
void client_reset(struct client *client);
/* Closes; wipes the last answer. */
void client_clear(struct client *client);

/* address: in the form of users. ERROR_ADDRESS, ERROR_NO_VSOCK, ERROR_NETWORK, ERROR_DEADLINE. */
MUST_USE bool client_connect(struct client *client, const char *address, struct error *err);

/*
 * Sends a request and receives the answer. False if there is none or it is malformed
 * (ERROR_FORMAT). True for an error answer, too: see client_refused.
 */
MUST_USE bool client_ask(struct client *client, struct bytes request, struct error *err);

/* Whether the last answer is an error; the reference program's errors have no status. */
bool client_refused(const struct client *client);

/* For __attribute__((cleanup)). */
#define CLIENT_AUTO __attribute__((cleanup(client_clear))) struct client

#endif
