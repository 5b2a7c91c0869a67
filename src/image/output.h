/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that appears under its name only when it is complete: it is written under another name in
 * the same folder, synchronized and renamed. Standard output ("-") gets it when it is complete.
 */
#ifndef IMAGE_OUTPUT_H
#define IMAGE_OUTPUT_H

#include <limits.h>

#include "image/sink.h"

struct output {
    int fd;
    const char *path;    /* the final name; the caller's */
    char next[PATH_MAX]; /* the name until then */
    bool is_stream;      /* standard output */
    uint64_t size;       /* bytes written so far */
};

/* ERROR_SYSTEM if path exists and is not a regular file, or its folder is not writable; ERROR_USAGE
 * if it is "-", and standard output is a terminal. */
MUST_USE bool output_open(struct output *output, const char *path, struct error *err);

/* Appends; a byte_sink whose context is the output. */
bool output_write(void *output, struct bytes piece, struct error *err);
/* Overwrites the bytes at offset. */
MUST_USE bool output_rewrite(struct output *output, uint64_t offset, struct bytes bytes,
                             struct error *err);

/* Puts the file in place, readable by everybody, or copies it to standard output. */
MUST_USE bool output_commit(struct output *output, struct error *err);
/* Removes a file that was not committed. Safe after output_commit and after a failed open. */
void output_discard(struct output *output);

#endif
