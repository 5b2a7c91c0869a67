/* SPDX-License-Identifier: Apache-2.0 */
#include "image/gzip.h"

#include <stdlib.h>

#include "formats/eif.h"
#include "image/deflate.h"

struct gzip {
    byte_sink sink;
    void *context;
    struct deflate *deflate;
    uint32_t crc;
    uint32_t size;    /* of the input, modulo 2³², as the format defines it */
    uint64_t written; /* bytes passed to the sink */
    bool begun;
};

static bool put(void *context, struct bytes piece, struct error *err)
{
    struct gzip *gzip = context;
    gzip->written += piece.len;
    return piece.len == 0 || gzip->sink(gzip->context, piece, err);
}

struct gzip *gzip_new(byte_sink sink, void *context)
{
    struct gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip == NULL)
        return NULL;
    *gzip = (struct gzip){.sink = sink, .context = context, .deflate = deflate_new(put, gzip)};
    if (gzip->deflate != NULL)
        return gzip;
    free(gzip);
    return NULL;
}

/* No name, no time, densest compression (2), unknown system (255). */
static bool begin(struct gzip *gzip, struct error *err)
{
    static const uint8_t head[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255};
    if (gzip->begun)
        return true;
    gzip->begun = true;
    return put(gzip, bytes_of(head, sizeof head), err);
}

bool gzip_write(void *context, struct bytes piece, struct error *err)
{
    struct gzip *gzip = context;
    gzip->crc = eif_crc(gzip->crc, piece); /* the same CRC-32 */
    gzip->size += (uint32_t)piece.len;
    return begin(gzip, err) && deflate_write(gzip->deflate, piece, err);
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
    if (!begin(gzip, err) || !deflate_finish(gzip->deflate, err))
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
    deflate_free(gzip->deflate);
    free(gzip);
}
