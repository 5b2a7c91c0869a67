/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory that is wiped when it is freed, for libraries that take an allocator: credentials pass
 * through libcurl and expat. The size of each piece is kept in front of it.
 */
#ifndef HOST_WIPING_MEMORY_H
#define HOST_WIPING_MEMORY_H

#include "base/bytes.h"

/* As malloc, free, realloc, calloc and strdup. */
void *wiping_malloc(size_t size);
void wiping_free(void *at);
void *wiping_realloc(void *at, size_t size);
void *wiping_calloc(size_t count, size_t size);
char *wiping_strdup(const char *text);

#endif
