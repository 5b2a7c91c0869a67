/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/watched_file.h"

#include <stddef.h>

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

bool watched_file_changed(struct watched_file *file)
{
    struct stat now;
    if (file->path == NULL || stat(file->path, &now) != 0 || same(&now, &file->seen))
        return false;
    file->seen = now;
    return true;
}
