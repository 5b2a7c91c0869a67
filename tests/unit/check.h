/* SPDX-License-Identifier: Apache-2.0 */
/* What every unit test includes: cmocka in the order it wants, and the few helpers tests share. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"

#define assert_bytes(view, text)                                                                 \
    do {                                                                                         \
        struct bytes got_ = (view);                                                              \
        if (!bytes_equal_text(got_, (text)))                                                     \
            fail_msg("got \"%.*s\", want \"%s\"", (int)got_.len, (const char *)got_.at, (text)); \
    } while (0)

/* The whole of a file, or NULL in .at if it cannot be read; the caller frees .at. */
static inline struct buffer read_whole_file(const char *path)
{
    struct buffer b;
    buffer_init(&b, 64u << 20);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return b;
    uint8_t chunk[65536];
    size_t n;
    while ((n = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(&b, bytes_of(chunk, n));
    fclose(file);
    return b;
}

/*
 * Where the vectors that others wrote lie: $VECTORS, or ../shared/vectors beside the project. NULL
 * where there are none; the test then calls skip() after saying so.
 */
static inline const char *vectors_folder(void)
{
    static char found[4096];
    const char *from = getenv("VECTORS");
    snprintf(found, sizeof found, "%s", from != NULL ? from : SOURCE_ROOT "/../shared/vectors");
    char probe[4200];
    snprintf(probe, sizeof probe, "%s/README.md", found);
    FILE *file = fopen(probe, "rb");
    if (file == NULL)
        return NULL;
    fclose(file);
    return found;
}

#define SKIP_WITHOUT_VECTORS(what)                                  \
    do {                                                            \
        if (vectors_folder() == NULL) {                             \
            print_message("skipped without vectors: %s\n", (what)); \
            skip();                                                 \
        }                                                           \
    } while (0)

#endif
