/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears under its name when it is whole, and not before: written beside it under
 * another name, synchronized, renamed.
 */
#ifndef IMAGE_OUTPUT_H
#define IMAGE_OUTPUT_H

#include <limits.h>

#include "image/sink.h"

struct output {
    int fd;
    const char *path;    /* the final name; the caller's */
    char next[PATH_MAX]; /* the name until then */
    uint64_t size;       /* bytes written so far */
};

/* ERROR_SYSTEM if path is there and no regular file, or its folder cannot be written to. */
MUST_USE bool output_open(struct output *output, const char *path, struct error *err);

/* Appends; a byte_sink whose context is the output. */
bool output_write(void *output, struct bytes piece, struct error *err);
/* Writes over what stands at offset. */
MUST_USE bool output_rewrite(struct output *output, uint64_t offset, struct bytes bytes,
                             struct error *err);

/* Puts the file in place, readable by all. */
MUST_USE bool output_commit(struct output *output, struct error *err);
/* Removes what output_commit has not put in place. Safe after it, and after a failed open. */
void output_discard(struct output *output);

#endif
