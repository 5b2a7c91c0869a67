/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Compression with deflate (RFC 1951), in a stream. This is our own, because the measurement of an
 * image must not depend on the version of a compression library: libraries guarantee that their
 * output can be read, not that it stays the same.
 */
#ifndef IMAGE_DEFLATE_H
#define IMAGE_DEFLATE_H

#include "image/sink.h"

struct deflate;

/* NULL if there is no memory. */
MUST_USE struct deflate *deflate_new(byte_sink sink, void *context);
MUST_USE bool deflate_write(struct deflate *deflate, struct bytes piece, struct error *err);
/* Ends the stream, at a whole byte. The pieces of the input make no difference to the output. */
MUST_USE bool deflate_finish(struct deflate *deflate, struct error *err);
void deflate_free(struct deflate *deflate);

#endif
