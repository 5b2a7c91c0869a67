/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole images: on every input verify reports problems or none, and what opens lies within the
 * file. The CRC is made good if its own lowest bit says so, so that what comes after it is reached.
 */
#include "fuzz/fuzz.h"

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "image/eif_file.h"

static int fd = -1;
static char path[64];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fd = memfd_create("eif", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return 0;
}

static void count_lines(void *context, const char *text)
{
    FUZZ_CHECK(strlen(text) > 0 && strchr(text, '\n') == NULL);
    (*(size_t *)context)++;
}

static void write_crc(struct bytes file)
{
    uint8_t at[4];
    uint32_t crc = eif_crc(0, bytes_of(file.at, EIF_CRC_OFFSET));
    be32_store(at, eif_crc(crc, bytes_from(file, EIF_HEADER_SIZE)));
    FUZZ_CHECK(pwrite(fd, at, sizeof at, EIF_CRC_OFFSET) == sizeof at);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eif_file file;
    struct eif_measurements measurements;
    struct error err = {0};
    struct eif_verdict verdict;
    size_t lines = 0;
    bool good_crc = size > EIF_HEADER_SIZE && (data[EIF_CRC_OFFSET] & 1) != 0;
    FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, size, 0) == (ssize_t)size);
    if (good_crc)
        write_crc(bytes_of(data, size));
    FUZZ_CHECK(eif_verify(path, 0, count_lines, &lines, &verdict, &err) && lines == verdict.count);
    bool opened = eif_file_open(&file, path, &err);
    FUZZ_CHECK(opened ? err.code == ERROR_NONE : err.code == ERROR_FORMAT && lines > 0);
    if (!opened)
        return 0;
    for (size_t i = 0; i < file.section_count; i++)
        FUZZ_CHECK(file.sections[i].offset <= size &&
                   file.sections[i].size <= size - file.sections[i].offset);
    bool measured = eif_file_measure(&file, &measurements, &err);
    FUZZ_CHECK(measured || lines > 0);
    eif_file_close(&file);
    return 0;
}
