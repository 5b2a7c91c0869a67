/* SPDX-License-Identifier: Apache-2.0 */
/* Where bytes go piece by piece, so that no file has to be in memory as a whole. */
#ifndef IMAGE_SINK_H
#define IMAGE_SINK_H

#include "base/bytes.h"
#include "base/error.h"

#define PIECE_SIZE 65536 /* bytes that are read at a time */

/* Takes piece, which is valid until it returns. False, with *err, ends the stream. */
typedef bool (*byte_sink)(void *context, struct bytes piece, struct error *err);

#endif
