/* SPDX-License-Identifier: Apache-2.0 */
#include "image/cpio.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

#define HEAD_SIZE  110 /* "070701" and 13 fields of eight hex digits */
#define BLOCK_SIZE 512
#define TRAILER    "TRAILER!!!"

struct entry {
    const char *name;
    unsigned mode; /* with its type */
    uint32_t size;
    unsigned major, minor;
};

static bool put(void *context, struct bytes piece, struct error *err)
{
    struct cpio *cpio = context;
    cpio->size += piece.len;
    return cpio->sink(cpio->context, piece, err);
}

static bool pad(struct cpio *cpio, unsigned to, struct error *err)
{
    static const uint8_t zeros[BLOCK_SIZE];
    size_t over = (size_t)(cpio->size % to);
    return over == 0 || put(cpio, bytes_of(zeros, to - over), err);
}

/* Head and name, padded together to a multiple of four bytes. */
static bool put_entry(struct cpio *cpio, const struct entry *entry, struct error *err)
{
    char head[HEAD_SIZE + 1];
    size_t name = strlen(entry->name) + 1;
    bool last = strcmp(entry->name, TRAILER) == 0;
    if (name - 1 > CPIO_NAME_MAX || name == 1 || entry->name[0] == '/')
        return error_set(err, ERROR_USAGE, "%.100s cannot be the name of a file in a ramdisk",
                         entry->name);
    /* magic inode mode uid gid nlink mtime size major minor rmajor rminor namesize check */
    snprintf(head, sizeof head, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08zx%08x",
             last ? 0 : ++cpio->inode, entry->mode, 0, 0, S_ISDIR(entry->mode) ? 2 : 1, 0,
             entry->size, 0, 0, entry->major, entry->minor, name, 0);
    return put(cpio, bytes_of(head, HEAD_SIZE), err) &&
           put(cpio, bytes_of(entry->name, name), err) && pad(cpio, 4, err);
}

bool cpio_folder(struct cpio *cpio, const char *name, unsigned mode, struct error *err)
{
    struct entry entry = {.name = name, .mode = S_IFDIR | mode};
    return put_entry(cpio, &entry, err);
}

bool cpio_device(struct cpio *cpio, const char *name, unsigned mode, unsigned major, unsigned minor,
                 struct error *err)
{
    struct entry entry = {.name = name, .mode = S_IFCHR | mode, .major = major, .minor = minor};
    return put_entry(cpio, &entry, err);
}

bool cpio_bytes(struct cpio *cpio, const char *name, unsigned mode, struct bytes content,
                struct error *err)
{
    struct entry entry = {.name = name, .mode = S_IFREG | mode, .size = (uint32_t)content.len};
    if (content.len > CPIO_FILE_MAX)
        return error_set(err, ERROR_USAGE, "%.100s is too large for a ramdisk", name);
    return put_entry(cpio, &entry, err) && (content.len == 0 || put(cpio, content, err)) &&
           pad(cpio, 4, err);
}

bool cpio_file(struct cpio *cpio, const char *name, unsigned mode, const struct input *from,
               struct error *err)
{
    struct entry entry = {.name = name, .mode = S_IFREG | mode, .size = (uint32_t)from->size};
    if (from->size > CPIO_FILE_MAX)
        return error_set(err, ERROR_USAGE,
                         "%.200s is %" PRIu64 " bytes; a file in a ramdisk has at most %" PRIu32,
                         from->path, from->size, CPIO_FILE_MAX);
    return put_entry(cpio, &entry, err) && input_stream(from, put, cpio, err) && pad(cpio, 4, err);
}

bool cpio_finish(struct cpio *cpio, struct error *err)
{
    struct entry entry = {.name = TRAILER};
    return put_entry(cpio, &entry, err) && pad(cpio, BLOCK_SIZE, err);
}
