/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Building an image: kernel, command line, metadata and ramdisks. It is written in pieces and
 * appears under its name when it is complete. The same plan gives the same bytes, on any machine.
 * docs/image-format.md says what is in which ramdisk, and why.
 */
#ifndef IMAGE_EIF_BUILD_H
#define IMAGE_EIF_BUILD_H

#include "image/eif_file.h"
#include "image/kernel.h"

#define EIF_MODULES_MAX  99 /* two digits in their names give the order */
#define EIF_OWN_RAMDISKS 2
/* Other ramdisks: as many as the header's table has room for, with one place for a signature. */
#define EIF_RAMDISKS_MAX (EIF_SECTIONS_MAX - 3 - EIF_OWN_RAMDISKS - 1)

/* The files of the configuration in the image. */
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
    const char *const *modules; /* in the order of loading */
    size_t module_count;
    /* the second */
    struct bytes config;
    struct bytes roots;
    struct bytes wrapped_tsk; /* may be empty */
    /* further ones, unchanged */
    const char *const *ramdisks;
    size_t ramdisk_count;
    int stop_fd; /* gives up when this is readable; -1: none */
};

/* ERROR_USAGE, ERROR_SYSTEM, ERROR_FORMAT (a file is not a kernel, program or module). */
MUST_USE bool eif_build(const struct eif_plan *plan, struct eif_measurements *out,
                        struct error *err);

#endif
