/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS for the simulated KMS: libmicrohttpd with GnuTLS, so that the daemon's TLS (OpenSSL) is
 * tested against another implementation. One thread for each connection; tens of them are expected.
 */
#ifndef SIM_KMS_KMS_SERVER_H
#define SIM_KMS_KMS_SERVER_H

#include "sim/kms/kms_service.h"
#include "sim/kms_store/kms_identity.h"

struct kms_server;

/*
 * Serves on fd, a listening socket, and owns it from now on, also on failure. service must outlive
 * the server.
 */
MUST_USE struct kms_server *kms_server_start(struct kms_service *service, int fd,
                                             const struct kms_identity *identity,
                                             struct error *err);

/* Ends all connections and threads. */
void kms_server_stop(struct kms_server *server);

#endif
