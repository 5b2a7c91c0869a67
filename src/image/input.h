/* SPDX-License-Identifier: Apache-2.0 */
/* Files that become part of an image: regular ones, read in pieces. */
#ifndef IMAGE_INPUT_H
#define IMAGE_INPUT_H

#include "image/sink.h"

struct input {
    int fd;
    const char *path; /* the caller's */
    uint64_t base;    /* where the input begins in the file; 0 for a whole file */
    uint64_t size;
    int stop_fd; /* gives up when this is readable; -1: none */
};

/* ERROR_SYSTEM if path is not a regular file that can be read. */
MUST_USE bool input_open(struct input *input, const char *path, int stop_fd, struct error *err);
void input_close(struct input *input);

/* Reads up to len bytes at offset; *got: how many there are. */
MUST_USE bool input_peek(const struct input *input, uint64_t offset, uint8_t *out, size_t len,
                         size_t *got, struct error *err);

/* Passes the whole input to the sink. ERROR_SYSTEM if it is not size bytes long any more. */
MUST_USE bool input_stream(const struct input *input, byte_sink sink, void *context,
                           struct error *err);

#endif
