/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <sys/mman.h>
#include <unistd.h>

static bool lock_required;

void wipe(void *at, size_t len)
{
    if (len > 0)
        explicit_bzero(at, len);
}

void secret_require_lock(bool required)
{
    lock_required = required;
}

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

/* Whole pages for size bytes; 0 when that, with two guard pages, does not fit a size_t. */
static size_t whole_pages(size_t size)
{
    size_t page = page_size();
    if (size == 0 || size > SIZE_MAX - 3 * page)
        return 0;
    return (size + page - 1) / page * page;
}

void *secret_alloc(size_t size)
{
    size_t page = page_size();
    size_t inner = whole_pages(size);
    if (inner == 0)
        return NULL;
    uint8_t *outer =
        mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (outer == MAP_FAILED)
        return NULL;
    uint8_t *at = outer + page;
    bool usable = mprotect(at, inner, PROT_READ | PROT_WRITE) == 0 &&
                  (mlock(at, inner) == 0 || !lock_required) &&
                  madvise(at, inner, MADV_DONTDUMP) == 0;
    if (!usable) {
        munmap(outer, inner + 2 * page);
        return NULL;
    }
    return at;
}

void secret_free(void *at, size_t size)
{
    if (at == NULL)
        return;
    size_t page = page_size();
    size_t inner = whole_pages(size);
    wipe(at, size);
    munmap((uint8_t *)at - page, inner + 2 * page);
}
