/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the parent learns that the enclave has started: one byte to vsock CID 3, port 9000, and the
 * same byte back. nitro-cli waits for it in run-enclave (aws-nitro-enclaves-sdk-bootstrap init.c).
 */
#ifndef INIT_HEARTBEAT_H
#define INIT_HEARTBEAT_H

#include "net/deadline.h"

/* Connects to the parent and exchanges the byte, within ten seconds. ERROR_NETWORK, ERROR_DEADLINE,
 * ERROR_CLOSED, ERROR_FORMAT. */
MUST_USE bool heartbeat(struct error *err);

/* The exchange alone, on a connected non-blocking socket, which stays the caller's. */
MUST_USE bool heartbeat_exchange(int fd, const struct deadline *deadline, struct error *err);

#endif
