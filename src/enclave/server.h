/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server: one thread and epoll for all connections. Small requests are served where they are
 * read, in the buffer they were read into; large ones go to the worker, `configure` to the session.
 * Nothing here waits for a client. traffic.h is one connection's part of it.
 */
#ifndef ENCLAVE_SERVER_H
#define ENCLAVE_SERVER_H

#include "base/error.h"
#include "enclave/job.h"

struct service;

/* What main made before the session started, because both use it. */
struct server_ports {
    int listener;           /* listening, non-blocking; taken over and closed */
    struct job_queue *done; /* jobs come back here … (cleared at the end) */
    int done_fd;            /* … and make this eventfd readable */
    int signal_fd;          /* when it is readable the service ends */
    uint32_t peer_cid;      /* who alone may connect over vsock; VMADDR_CID_ANY: anyone */
};

/*
 * Serves until a signal arrives, then stops accepting, finishes what is under way within
 * limits.drain_ms, and returns true. False with *err if it could not start.
 */
MUST_USE bool server_run(struct service *service, const struct server_ports *ports,
                         struct error *err);

#endif
