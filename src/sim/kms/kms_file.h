/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are read again when they change: whether one is still what it was. */
#ifndef SIM_KMS_KMS_FILE_H
#define SIM_KMS_KMS_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

static inline bool kms_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

#endif
