/* SPDX-License-Identifier: Apache-2.0 */
#include "host/web_library.h"

#include <dlfcn.h>

#include "host/wiping_memory.h"

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
