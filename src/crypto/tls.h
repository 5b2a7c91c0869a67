/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A TLS 1.2 or 1.3 client over a connected, non-blocking descriptor. The chain must end in one of
 * the given roots and the certificate must name the host: there is no way to switch that off.
 * OpenSSL writes with write(2): the program must ignore SIGPIPE.
 */
#ifndef CRYPTO_TLS_H
#define CRYPTO_TLS_H

#include "base/buffer.h"
#include "base/error.h"

struct tls_roots; /* immutable, shared by connections */
struct tls;

/* One or more certificates in PEM. ERROR_CONFIG if there is none or one cannot be read. */
MUST_USE struct tls_roots *tls_roots_new(struct bytes pem, struct error *err);
void tls_roots_free(struct tls_roots *roots);

/*
 * Waits until fd is ready for poll events (POLLIN or POLLOUT); false with *err on time-out or
 * cancellation. Given by the caller so that TLS knows nothing of deadlines and shutdown.
 */
typedef bool (*tls_wait)(void *context, int fd, short events, struct error *err);

/*
 * Handshake. Does not own fd. ERROR_TLS with OpenSSL's reason (and, of a certificate, the clock
 * that it was checked by), or the error of wait.
 */
MUST_USE struct tls *tls_connect(int fd, const struct tls_roots *roots, const char *host,
                                 tls_wait wait, void *context, struct error *err);
MUST_USE bool tls_write(struct tls *tls, struct bytes data, struct error *err);
/* Reads at least 1 and at most len bytes; *got = 0 at a clean close_notify. ERROR_CLOSED if cut
 * off. */
MUST_USE bool tls_read(struct tls *tls, uint8_t *at, size_t len, size_t *got, struct error *err);
/* Sends close_notify without waiting, wipes, frees. */
void tls_free(struct tls *tls);

#endif
