/* SPDX-License-Identifier: Apache-2.0 */
/* A file that is read again when it changes. */
#ifndef SIM_WATCHED_FILE_H
#define SIM_WATCHED_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct watched_file {
    const char *path; /* the caller's; NULL: no file */
    struct stat seen;
};

/* Whether the file is there and is not the one that was seen last; it then counts as seen. */
bool watched_file_changed(struct watched_file *file);

#endif
