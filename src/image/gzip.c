/* SPDX-License-Identifier: Apache-2.0 */
#include "image/gzip.h"

#include <stdlib.h>

#include <zlib.h>

#define RAW_WINDOW (-15) /* no header of zlib's own: it would tell the system it runs on */
#define MEMORY     8     /* zlib's default; another one changes the output */

struct gzip {
    byte_sink sink;
    void *context;
    z_stream z;
    uint32_t crc;
    uint32_t size;    /* of what was compressed, modulo 2^32, as the format has it */
    uint64_t written; /* bytes given to the sink */
    bool begun;
    uint8_t out[PIECE_SIZE];
};

struct gzip *gzip_new(byte_sink sink, void *context)
{
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip == NULL)
        return NULL;
    gzip->sink = sink;
    gzip->context = context;
    gzip->crc = (uint32_t)crc32_z(0, NULL, 0);
    if (deflateInit2(&gzip->z, Z_BEST_COMPRESSION, Z_DEFLATED, RAW_WINDOW, MEMORY,
                     Z_DEFAULT_STRATEGY) == Z_OK)
        return gzip;
    free(gzip);
    return NULL;
}

static bool put(struct gzip *gzip, struct bytes piece, struct error *err)
{
    gzip->written += piece.len;
    return piece.len == 0 || gzip->sink(gzip->context, piece, err);
}

/* No name, no time, densest (2), system unknown (255). */
static bool begin(struct gzip *gzip, struct error *err)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255};
    if (gzip->begun)
        return true;
    gzip->begun = true;
    return put(gzip, bytes_of(head, sizeof head), err);
}

static bool run(struct gzip *gzip, int flush, struct error *err)
{
    do {
        gzip->z.next_out = gzip->out;
        gzip->z.avail_out = sizeof gzip->out;
        if (deflate(&gzip->z, flush) == Z_STREAM_ERROR)
            return error_set(err, ERROR_INTERNAL, "zlib cannot compress");
        if (!put(gzip, bytes_of(gzip->out, sizeof gzip->out - gzip->z.avail_out), err))
            return false;
    } while (gzip->z.avail_out == 0);
    return true;
}

bool gzip_write(void *context, struct bytes piece, struct error *err)
{
    struct gzip *gzip = context;
    if (!begin(gzip, err))
        return false;
    while (piece.len > 0) {
        size_t part = piece.len < PIECE_SIZE ? piece.len : PIECE_SIZE;
        gzip->crc = (uint32_t)crc32_z(gzip->crc, piece.at, part);
        gzip->size += (uint32_t)part;
        gzip->z.next_in = (z_const Bytef *)(uintptr_t)piece.at;
        gzip->z.avail_in = (uInt)part;
        if (!run(gzip, Z_NO_FLUSH, err))
            return false;
        piece = bytes_from(piece, part);
    }
    return true;
}

static void le32_store(uint8_t *at, uint32_t value)
{
    for (size_t i = 0; i < 4; i++)
        at[i] = (uint8_t)(value >> 8 * i);
}

bool gzip_finish(struct gzip *gzip, struct error *err)
{
    static const uint8_t zeros[4];
    uint8_t tail[8];
    gzip->z.avail_in = 0;
    if (!begin(gzip, err) || !run(gzip, Z_FINISH, err))
        return false;
    le32_store(tail, gzip->crc);
    le32_store(tail + 4, gzip->size);
    return put(gzip, bytes_of(tail, sizeof tail), err) &&
           put(gzip, bytes_of(zeros, (size_t)(-gzip->written & 3)), err);
}

void gzip_free(struct gzip *gzip)
{
    if (gzip == NULL)
        return;
    deflateEnd(&gzip->z);
    free(gzip);
}
