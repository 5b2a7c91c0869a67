/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames: 4 bytes of length, big-endian, then as many bytes of JSON; both ways (docs/protocol.md).
 */
#ifndef NET_FRAME_H
#define NET_FRAME_H

#define FRAME_HEADER_SIZE 4
#define FRAME_LIMIT       (16u << 20)  /* default longest frame, header not counted; bytes */
#define FRAME_LIMIT_MAX   (256u << 20) /* largest limit that can be configured */

#endif
