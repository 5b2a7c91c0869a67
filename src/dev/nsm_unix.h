/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NSM of enclave-sim over a unix socket: SOCK_SEQPACKET, a packet a message, no other framing.
 * Linked into enclaved-dev only; enclaved has no such switch.
 */
#ifndef DEV_NSM_UNIX_H
#define DEV_NSM_UNIX_H

#include "enclave/nsm.h"

/* timeout_ms bounds each exchange; after one that timed out the connection is made anew. */
MUST_USE bool nsm_open_unix(struct nsm *nsm, const char *path, int64_t timeout_ms,
                            struct error *err);

#endif
