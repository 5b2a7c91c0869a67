/* SPDX-License-Identifier: Apache-2.0 */
/* zlib reads back what deflate writes of any text, in whatever pieces the text was passed. */
#include "fuzz/fuzz.h"

#include <zlib.h>

#include "base/buffer.h"
#include "image/deflate.h"

#define COPIES 40 /* of the input, so that blocks and the window are exceeded */

static bool keep(void *context, struct bytes piece, struct error *err)
{
    (void)err;
    buffer_append(context, piece);
    return true;
}

static void compress_in(struct bytes text, size_t copies, size_t piece, struct buffer *out)
{
    struct error err = {0};
    struct deflate *deflate = deflate_new(keep, out);
    for (size_t i = 0; i < copies; i++)
        for (size_t at = 0; at < text.len; at += piece) {
            size_t left = text.len - at;
            struct bytes part = bytes_of(text.at + at, left < piece ? left : piece);
            FUZZ_CHECK(deflate_write(deflate, part, &err));
        }
    FUZZ_CHECK(deflate_finish(deflate, &err));
    deflate_free(deflate);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t room[1u << 20];
    struct bytes text = bytes_of(data, size);
    size_t copies = size > 0 ? 1 + data[0] % COPIES : 1;
    BUFFER_AUTO out = {.limit = 1u << 20}, again = {.limit = 1u << 20};
    if (size * copies > sizeof room)
        return 0;
    compress_in(text, copies, 4096, &out);
    compress_in(text, copies, 61, &again);
    FUZZ_CHECK(bytes_equal(buffer_bytes(&out), buffer_bytes(&again)));
    z_stream z = {
        .next_in = out.at, .avail_in = (uInt)out.len, .next_out = room, .avail_out = sizeof room};
    FUZZ_CHECK(inflateInit2(&z, -15) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END);
    FUZZ_CHECK(z.avail_in == 0 && z.total_out == size * copies && inflateEnd(&z) == Z_OK);
    for (size_t i = 0; i < copies; i++)
        FUZZ_CHECK(memcmp(room + i * size, data, size) == 0);
    return 0;
}
