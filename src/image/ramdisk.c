/* SPDX-License-Identifier: Apache-2.0 */
#include "image/ramdisk.h"

#include <stdlib.h>

#include "image/gzip.h"

static int by_name(const void *a, const void *b)
{
    const struct ramdisk_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

static bool put_file(struct cpio *cpio, const struct ramdisk_entry *entry, int stop_fd,
                     struct error *err)
{
    struct input input;
    if (!input_open(&input, entry->path, stop_fd, err))
        return false;
    bool good = cpio_file(cpio, entry->name, entry->mode, &input, err);
    input_close(&input);
    return good;
}

static bool put_entry(struct cpio *cpio, const struct ramdisk_entry *entry, int stop_fd,
                      struct error *err)
{
    switch (entry->kind) {
    case RAMDISK_FOLDER:
        return cpio_folder(cpio, entry->name, entry->mode, err);
    case RAMDISK_DEVICE:
        return cpio_device(cpio, entry->name, entry->mode, entry->major, entry->minor, err);
    case RAMDISK_FILE:
        return put_file(cpio, entry, stop_fd, err);
    case RAMDISK_BYTES:
        return cpio_bytes(cpio, entry->name, entry->mode, entry->content, err);
    }
    return false;
}

bool ramdisk_write(struct ramdisk_entry *entries, size_t count, int stop_fd, byte_sink sink,
                   void *context, struct error *err)
{
    qsort(entries, count, sizeof *entries, by_name);
    for (size_t i = 1; i < count; i++)
        if (strcmp(entries[i - 1].name, entries[i].name) == 0)
            return error_set(err, ERROR_USAGE, "two files of a ramdisk have the name %.200s",
                             entries[i].name);
    struct gzip *gzip = gzip_new(sink, context);
    if (gzip == NULL)
        return error_set(err, ERROR_MEMORY, "no memory to compress a ramdisk");
    struct cpio cpio = {.sink = gzip_write, .context = gzip};
    bool good = true;
    for (size_t i = 0; good && i < count; i++)
        good = put_entry(&cpio, &entries[i], stop_fd, err);
    good = good && cpio_finish(&cpio, err) && gzip_finish(gzip, err);
    gzip_free(gzip);
    return good;
}
