/* SPDX-License-Identifier: Apache-2.0 */
/* An NSM engine behind a unix socket: SOCK_SEQPACKET, a packet a message, many clients. */
#ifndef SIM_NSM_SERVICE_NSM_SERVER_H
#define SIM_NSM_SERVICE_NSM_SERVER_H

#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_fault.h"
#include "sockets/any_address.h"

/*
 * A listening socket at a unix address, mode 0600; a stale one that nobody answers on is replaced.
 * ERROR_ADDRESS, ERROR_SYSTEM.
 */
MUST_USE bool nsm_server_listen(const struct address *address, int *fd, struct error *err);

/* Serves until stop_fd becomes readable. */
MUST_USE bool nsm_server_run(struct nsm_engine *engine, const struct nsm_fault *fault, int listener,
                             int stop_fd, struct error *err);

#endif
