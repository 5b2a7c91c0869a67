/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Archives for the kernel's initramfs: cpio in the "newc" format (Linux,
 * Documentation/driver-api/early-userspace/buffer-format.rst; cpio(5)). Everything that the caller
 * does not give is fixed (owner 0:0, no time, inode numbers from 1), so the same entries give the
 * same bytes.
 */
#ifndef IMAGE_CPIO_H
#define IMAGE_CPIO_H

#include "image/input.h"

#define CPIO_NAME_MAX 255        /* bytes of a name; the kernel's unpacker allows more (PATH_MAX) */
#define CPIO_FILE_MAX UINT32_MAX /* eight hex digits */

struct cpio {
    byte_sink sink;
    void *context;
    uint32_t inode; /* of the last entry */
    uint64_t size;  /* bytes passed to the sink */
};

/* Names are relative, without a leading slash. A folder must come before what is in it. */
MUST_USE bool cpio_folder(struct cpio *cpio, const char *name, unsigned mode, struct error *err);
/* A character device. */
MUST_USE bool cpio_device(struct cpio *cpio, const char *name, unsigned mode, unsigned major,
                          unsigned minor, struct error *err);
MUST_USE bool cpio_bytes(struct cpio *cpio, const char *name, unsigned mode, struct bytes content,
                         struct error *err);
/* Reads the file in pieces. ERROR_USAGE if it is too large for the format. */
MUST_USE bool cpio_file(struct cpio *cpio, const char *name, unsigned mode,
                        const struct input *from, struct error *err);
/* The end mark, and zeros up to a multiple of 512 bytes, as cpio(1) writes it. */
MUST_USE bool cpio_finish(struct cpio *cpio, struct error *err);

#endif
