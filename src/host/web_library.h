/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcurl, loaded when it is first needed and not linked. Debian gives its symbols a version
 * (CURL_OPENSSL_4), Amazon Linux 2023 gives them none: a program that was linked on the one warns
 * at every start on the other. Commands that need no HTTP run without libcurl.
 */
#ifndef HOST_WEB_LIBRARY_H
#define HOST_WEB_LIBRARY_H

#include <curl/curl.h>

#include "base/error.h"

/* The functions in use, by their names without "curl_". */
#define WEB_FUNCTIONS(X) \
    X(easy_cleanup)      \
    X(easy_getinfo)      \
    X(easy_init)         \
    X(easy_perform)      \
    X(easy_setopt)       \
    X(easy_strerror)     \
    X(global_init_mem)   \
    X(slist_append)      \
    X(slist_free_all)

#define WEB_FUNCTION(name) __typeof__(curl_##name) *(name);
struct web_library {
    WEB_FUNCTIONS(WEB_FUNCTION)
};
#undef WEB_FUNCTION

/*
 * The library, started; all its memory is wiped when it is freed. NULL with ERROR_SYSTEM where it
 * is not there. For one thread.
 */
MUST_USE const struct web_library *web_library(struct error *err);

#endif
