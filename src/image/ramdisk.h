/* SPDX-License-Identifier: Apache-2.0 */
/* A compressed ramdisk from a list of entries: the same list gives the same bytes. */
#ifndef IMAGE_RAMDISK_H
#define IMAGE_RAMDISK_H

#include "image/cpio.h"

enum ramdisk_kind { RAMDISK_FOLDER, RAMDISK_DEVICE, RAMDISK_FILE, RAMDISK_BYTES };

struct ramdisk_entry {
    enum ramdisk_kind kind;
    unsigned mode;         /* permissions */
    const char *name;      /* relative, no leading slash */
    const char *path;      /* RAMDISK_FILE: what is copied */
    struct bytes content;  /* RAMDISK_BYTES */
    unsigned major, minor; /* RAMDISK_DEVICE, a character device */
};

/*
 * Sorts the entries by name, which puts folders before what is in them, and writes them to the sink
 * as cpio in gzip. ERROR_USAGE if two have the same name.
 */
MUST_USE bool ramdisk_write(struct ramdisk_entry *entries, size_t count, int stop_fd,
                            byte_sink sink, void *context, struct error *err);

#endif
