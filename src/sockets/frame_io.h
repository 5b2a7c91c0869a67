/* SPDX-License-Identifier: Apache-2.0 */
/* Frames (net/frame.h) sent and received in blocking form, for clients; the server never blocks. */
#ifndef SOCKETS_FRAME_IO_H
#define SOCKETS_FRAME_IO_H

#include "base/buffer.h"
#include "net/deadline.h"
#include "net/frame.h"

/* Sends header and content; fd is non-blocking. */
MUST_USE bool frame_send(int fd, struct bytes content, const struct deadline *deadline,
                         struct error *err);

/*
 * Receives one frame into out (reset first). A length above limit is ERROR_FRAME_TOO_LARGE before
 * anything is allocated; a clean end before the first byte is ERROR_CLOSED, within a frame
 * ERROR_FRAME_TRUNCATED.
 */
MUST_USE bool frame_receive(int fd, struct buffer *out, size_t limit,
                            const struct deadline *deadline, struct error *err);

#endif
