/* SPDX-License-Identifier: Apache-2.0 */
#include "host/web_library.h"

#include <dlfcn.h>
#include <stdlib.h>

#include "base/secret.h"

/* --- memory that is wiped when it is freed: its size is kept in front of it --- */

#define HEAD 16 /* keeps the alignment that malloc promises */

static void *wiping_malloc(size_t size)
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

static void wiping_free(void *at)
{
    if (at == NULL)
        return;
    wipe(at, size_of(at));
    free((uint8_t *)at - HEAD);
}

static void *wiping_calloc(size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / size)
        return NULL;
    void *at = wiping_malloc(count * size);
    if (at != NULL)
        memset(at, 0, count * size);
    return at;
}

static void *wiping_realloc(void *at, size_t size)
{
    void *next = wiping_malloc(size);
    if (next == NULL || at == NULL)
        return next;
    memcpy(next, at, size_of(at) < size ? size_of(at) : size);
    wiping_free(at);
    return next;
}

static char *wiping_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = wiping_malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* --- the library --- */

static const char file[] = "libcurl.so.4";

/* dlsym without a version takes the default one, or what has none. */
static bool find(void *handle, const char *name, void *function, struct error *err)
{
    void *at = dlsym(handle, name);
    if (at == NULL)
        return error_set(err, ERROR_SYSTEM, "%s has no %s: install a newer libcurl", file, name);
    memcpy(function, &at, sizeof at); /* as POSIX has it of dlsym */
    return true;
}

static bool load(struct web_library *library, struct error *err)
{
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL); /* until the end of the program */
    if (handle == NULL)
        return error_set(err, ERROR_SYSTEM, "install libcurl: %.200s", dlerror());
#define FIND(name) find(handle, "curl_" #name, &library->name, err) &&
    return WEB_FUNCTIONS(FIND) true;
#undef FIND
}

const struct web_library *web_library(struct error *err)
{
    static struct web_library library;
    static bool started;
    if (started)
        return &library;
    if (!load(&library, err))
        return NULL;
    started = library.global_init_mem(CURL_GLOBAL_DEFAULT, wiping_malloc, wiping_free,
                                      wiping_realloc, wiping_strdup, wiping_calloc) == CURLE_OK;
    if (!started)
        error_set(err, ERROR_MEMORY, "libcurl cannot be started");
    return started ? &library : NULL;
}
