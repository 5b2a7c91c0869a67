/* SPDX-License-Identifier: Apache-2.0 */
/* Files that become part of an image: regular ones, read in pieces. */
#ifndef IMAGE_INPUT_H
#define IMAGE_INPUT_H

#include "image/sink.h"

struct input {
    int fd;
    const char *path; /* the caller's */
    uint64_t base;    /* where in the file it begins: 0 for a whole file */
    uint64_t size;
    int stop_fd; /* readable: give up; -1: none */
};

/* ERROR_SYSTEM if path is not a regular file that can be read. */
MUST_USE bool input_open(struct input *input, const char *path, int stop_fd, struct error *err);
void input_close(struct input *input);

/* Reads up to len bytes from the start; *got tells how many there were. */
MUST_USE bool input_peek(const struct input *input, uint64_t offset, uint8_t *out, size_t len,
                         size_t *got, struct error *err);

/* Gives the whole to the sink: exactly size bytes, or ERROR_SYSTEM if the file changed meanwhile.
 */
MUST_USE bool input_stream(const struct input *input, byte_sink sink, void *context,
                           struct error *err);

#endif
