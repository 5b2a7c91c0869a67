/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing whole files, with a bound. */
#ifndef SYSTEM_FILE_H
#define SYSTEM_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Appends the content of path ("-": standard input) to out. ERROR_SYSTEM with the path and the
 * reason; ERROR_USAGE if it does not fit in out's limit.
 */
MUST_USE bool file_read(const char *path, struct buffer *out, struct error *err);

/* The same from an open descriptor; name is for the message. */
MUST_USE bool file_read_fd(int fd, const char *name, struct buffer *out, struct error *err);

/* Writes all of content to an open descriptor. False with errno set. */
MUST_USE bool file_write_all(int fd, struct bytes content);

/*
 * ERROR_USAGE if output is one of the inputs, which it would replace: the same name, or another
 * name of the same file. NULL and "-" are none.
 */
MUST_USE bool file_check_output(const char *output, const char *const *inputs, size_t count,
                                struct error *err);

/*
 * Puts content in place of path in one step (a new file, renamed), with the given mode. A device or
 * a pipe is written to instead, and so is standard output ("-").
 */
MUST_USE bool file_replace(const char *path, struct bytes content, unsigned mode,
                           struct error *err);

/* Removes a folder and all in it, if it is there. Links are removed and not followed. */
void file_remove_tree(const char *path);

/* The folder in which the file of the running program lies. ERROR_SYSTEM. */
MUST_USE bool file_program_folder(char *out, size_t size, struct error *err);

#endif
