/* SPDX-License-Identifier: Apache-2.0 */
/* Reading and writing whole files, with a bound. */
#ifndef SYSTEM_FILE_H
#define SYSTEM_FILE_H

#include "base/buffer.h"
#include "base/error.h"

/*
 * Appends what path holds ("-": standard input) to out, as it arrives. ERROR_SYSTEM with the path
 * and the reason, or, where it does not fit in out's limit, ERROR_USAGE.
 */
MUST_USE bool file_read(const char *path, struct buffer *out, struct error *err);

/* As file_read from an open descriptor; name is for the message. */
MUST_USE bool file_read_fd(int fd, const char *name, struct buffer *out, struct error *err);

/* Writes all of content to an open descriptor. False with errno set. */
MUST_USE bool file_write_all(int fd, struct bytes content);

/* Puts content in place of path in one step (a new file, renamed), with the given mode. */
MUST_USE bool file_replace(const char *path, struct bytes content, unsigned mode,
                           struct error *err);

/* Removes a folder and all in it; links are removed, not followed. What is not there is fine. */
void file_remove_tree(const char *path);

#endif
