/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gzip (RFC 1952) in a stream: our own deflate, a header without name and time, and zeros after the
 * member up to a multiple of four bytes. The kernel skips zeros between archives, and an
 * uncompressed archive must begin at such a multiple (Linux, init/initramfs.c).
 */
#ifndef IMAGE_GZIP_H
#define IMAGE_GZIP_H

#include "image/sink.h"

struct gzip;

/* NULL if there is no memory. */
MUST_USE struct gzip *gzip_new(byte_sink sink, void *context);
/* A byte_sink whose context is the gzip. */
bool gzip_write(void *gzip, struct bytes piece, struct error *err);
MUST_USE bool gzip_finish(struct gzip *gzip, struct error *err);
void gzip_free(struct gzip *gzip);

#endif
