/* SPDX-License-Identifier: Apache-2.0 */
/* A fuzz target without a fuzzer: runs it once over each file named, in any build. */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>

#define SEED_MAX (16L << 20) /* bytes; a folder claims to have far more */

/* Some targets have none. */
#pragma weak LLVMFuzzerInitialize

/* The bytes of a file in a block of exactly their size, so that a sanitizer sees a read beyond. */
static uint8_t *read_seed(const char *path, size_t *len)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return NULL;
    uint8_t *data = NULL;
    long size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : -1;
    if (size > 0 && size <= SEED_MAX && fseek(file, 0, SEEK_SET) == 0)
        data = malloc((size_t)size);
    if (data != NULL && fread(data, 1, (size_t)size, file) != (size_t)size) {
        free(data);
        data = NULL;
    }
    *len = data == NULL ? 0 : (size_t)size;
    fclose(file);
    return data;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s SEED ...\n", argv[0]);
        return 2;
    }
    if (LLVMFuzzerInitialize != NULL)
        LLVMFuzzerInitialize(&argc, &argv);
    for (int i = 1; i < argc; i++) {
        size_t len = 0;
        uint8_t *data = read_seed(argv[i], &len);
        if (data == NULL) {
            fprintf(stderr, "%s cannot be read, is empty, or has more than 16 MiB\n", argv[i]);
            return 1;
        }
        LLVMFuzzerTestOneInput(data, len);
        free(data);
    }
    return 0;
}
