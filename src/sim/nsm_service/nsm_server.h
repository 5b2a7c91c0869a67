/* SPDX-License-Identifier: Apache-2.0 */
/* Serves an NSM engine on a unix socket: SOCK_SEQPACKET, each packet is a message, many clients. */
#ifndef SIM_NSM_SERVICE_NSM_SERVER_H
#define SIM_NSM_SERVICE_NSM_SERVER_H

#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_fault.h"
#include "sockets/any_address.h"

/*
 * A listening socket at a unix address, with mode 0600. A socket on which nobody listens is
 * replaced. ERROR_ADDRESS, ERROR_SYSTEM.
 */
MUST_USE bool nsm_server_listen(const struct address *address, int *fd, struct error *err);

/* Serves until stop_fd becomes readable. */
MUST_USE bool nsm_server_run(struct nsm_engine *engine, const struct nsm_fault *fault, int listener,
                             int stop_fd, struct error *err);

#endif
