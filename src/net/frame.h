/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: 4 bytes of length, big-endian, then as many bytes of JSON; both ways (docs/protocol.md).
 * Here is the blocking form for clients; the server reads frames as they come.
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#include "base/buffer.h"
#include "net/deadline.h"

#define FRAME_HEADER_SIZE 4
#define FRAME_LIMIT       (16u << 20)  /* default longest frame, header not counted; bytes */
#define FRAME_LIMIT_MAX   (256u << 20) /* largest limit that can be configured */

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
