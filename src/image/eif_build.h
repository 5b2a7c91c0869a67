/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building an image: kernel, command line, metadata, and ramdisks, in a stream and in one step (the
 * file appears when it is whole). The same plan gives the same bytes, whoever builds it and where.
 * What is in which ramdisk, and why: docs/image-format.md.
 */
#ifndef IMAGE_EIF_BUILD_H
#define IMAGE_EIF_BUILD_H

#include "image/eif_file.h"
#include "image/kernel.h"

#define EIF_CMDLINE_MAX  2047 /* bytes: the kernel's COMMAND_LINE_SIZE, and its end mark */
#define EIF_MODULES_MAX  99   /* two digits of their names tell the order */
#define EIF_OWN_RAMDISKS 2
/* Other ramdisks: what remains of the header's table, and one place for a signature. */
#define EIF_RAMDISKS_MAX (EIF_SECTIONS_MAX - 3 - EIF_OWN_RAMDISKS - 1)

/* Where the files of the configuration lie in the image. */
#define EIF_PATH_CONFIG  "/etc/enclaved/enclaved.json"
#define EIF_PATH_ROOTS   "/etc/enclaved/roots.pem"
#define EIF_PATH_WRAPPED "/etc/enclaved/wrapped-tsk"

struct eif_plan {
    const char *output;
    enum machine machine;
    const char *kernel;
    struct bytes cmdline;
    struct bytes metadata; /* JSON */
    /* the first ramdisk */
    const char *init;
    const char *const *modules; /* in the order they shall be loaded in */
    size_t module_count;
    /* the second */
    struct bytes config;
    struct bytes roots;
    struct bytes wrapped_tsk; /* may be empty */
    /* further ones, as they are */
    const char *const *ramdisks;
    size_t ramdisk_count;
    int stop_fd; /* readable: give up; -1: none */
};

/* ERROR_USAGE, ERROR_SYSTEM, ERROR_FORMAT (a kernel, program or module that is none). */
MUST_USE bool eif_build(const struct eif_plan *plan, struct eif_measurements *out,
                        struct error *err);

#endif
