/* SPDX-License-Identifier: Apache-2.0 */
#include "image/eif_file.h"

#include <inttypes.h>
#include <unistd.h>

#include "image/eif_internal.h"
#include "system/file.h"

struct first {
    struct error *err;
    const char *path;
    bool found;
};

/* The first finding becomes the error. */
static void keep_first(void *context, const char *text)
{
    struct first *first = context;
    if (first->found)
        return;
    first->found = true;
    error_set(first->err, ERROR_FORMAT, "%.200s: %s", first->path, text);
}

bool eif_file_open(struct eif_file *file, const char *path, struct error *err)
{
    struct first first = {.err = err, .path = path};
    struct findings findings = {.report = keep_first, .context = &first};
    bool good = eif_open_header(file, path, &findings, err) == EIF_OPENED &&
                eif_read_layout(file, &findings, err) && findings.count == 0;
    if (!good)
        eif_file_close(file);
    return good;
}

void eif_file_close(struct eif_file *file)
{
    if (file->path != NULL && file->fd >= 0)
        close(file->fd);
    *file = (struct eif_file){.fd = -1};
}

size_t eif_file_find(const struct eif_file *file, enum eif_type type)
{
    for (size_t i = 0; i < file->section_count; i++)
        if (file->sections[i].type == type)
            return i;
    return EIF_NO_SECTION;
}

bool eif_stream(const struct eif_file *file, uint64_t offset, uint64_t size, byte_sink sink,
                void *context, struct error *err)
{
    uint8_t piece[PIECE_SIZE];
    while (size > 0) {
        size_t n = size < sizeof piece ? (size_t)size : sizeof piece;
        if (!eif_read_at(file, piece, n, offset, err) || !sink(context, bytes_of(piece, n), err))
            return false;
        offset += n;
        size -= n;
    }
    return true;
}

static bool add_to_crc(void *context, struct bytes piece, struct error *err)
{
    uint32_t *crc = context;
    (void)err;
    *crc = eif_crc(*crc, piece);
    return true;
}

bool eif_file_crc(const struct eif_file *file, uint32_t *out, struct error *err)
{
    *out = 0;
    return eif_stream(file, 0, EIF_CRC_OFFSET, add_to_crc, out, err) &&
           eif_stream(file, EIF_HEADER_SIZE, file->bytes - EIF_HEADER_SIZE, add_to_crc, out, err);
}

bool eif_file_read(const struct eif_file *file, size_t section, struct buffer *out,
                   struct error *err)
{
    const struct eif_section *from = &file->sections[section];
    if (from->size > out->limit - out->len)
        return error_set(
            err, ERROR_FORMAT, "%.200s: section %zu (%s) has %" PRIu64 " bytes; the limit is %zu",
            file->path, section, eif_type_name(from->type), from->size, out->limit - out->len);
    uint8_t *room = buffer_reserve(out, (size_t)from->size);
    if (room == NULL)
        return error_set(err, ERROR_MEMORY, "no memory for a section of %.200s", file->path);
    if (!eif_read_at(file, room, (size_t)from->size, from->offset, err))
        return false;
    buffer_commit(out, (size_t)from->size);
    return true;
}

static bool write_piece(void *context, struct bytes piece, struct error *err)
{
    return file_write_all(*(int *)context, piece) ||
           error_set_errno(err, ERROR_SYSTEM, "cannot write the copy of a section");
}

bool eif_file_extract(const struct eif_file *file, size_t section, int to, struct error *err)
{
    const struct eif_section *from = &file->sections[section];
    return eif_stream(file, from->offset, from->size, write_piece, &to, err);
}
