/* SPDX-License-Identifier: Apache-2.0 */
#include "host/wiping_memory.h"

#include <stdlib.h>

#include "base/secret.h"

#define HEAD 16 /* keeps the alignment that malloc promises */

void *wiping_malloc(size_t size)
{
    if (size > SIZE_MAX - HEAD)
        return NULL;
    uint8_t *at = malloc(size + HEAD);
    if (at == NULL)
        return NULL;
    memcpy(at, &size, sizeof size);
    return at + HEAD;
}

static size_t size_of(const void *at)
{
    size_t size;
    memcpy(&size, (const uint8_t *)at - HEAD, sizeof size);
    return size;
}

void wiping_free(void *at)
{
    if (at == NULL)
        return;
    wipe(at, size_of(at));
    free((uint8_t *)at - HEAD);
}

void *wiping_calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *at = wiping_malloc(count * size);
    if (at != NULL)
        memset(at, 0, count * size);
    return at;
}

void *wiping_realloc(void *at, size_t size)
{
    void *next = wiping_malloc(size);
    if (next == NULL || at == NULL)
        return next;
    memcpy(next, at, size_of(at) < size ? size_of(at) : size);
    wiping_free(at);
    return next;
}

char *wiping_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = wiping_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}
