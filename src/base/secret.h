/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory for keys and plaintext: locked (never swapped), left out of core files, between two guard
 * pages, and wiped before it is given back.
 */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include "base/bytes.h"

/* Overwrites len bytes with zeros, which no compiler removes. at may be NULL if len is 0. */
void wipe(void *at, size_t len);

/*
 * Whether secret_alloc fails when the kernel refuses to lock the pages (RLIMIT_MEMLOCK). False
 * until called. enclaved requires it; tools that run on a developer's machine do not.
 */
void secret_require_lock(bool required);

/*
 * Returns size > 0 zeroed bytes, or NULL if there is no memory or no right to lock it. The caller
 * owns them and frees them by secret_free with the same size. They take whole pages: do not use it
 * for many small objects.
 */
MUST_USE void *secret_alloc(size_t size);

/* Wipes and unmaps. at may be NULL. */
void secret_free(void *at, size_t size);

#endif
