/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json_writer_more.h"

#include "base/hex.h"

void json_hex(struct json_writer *w, const char *name, struct bytes bytes)
{
    json_begin(w, name);
    buffer_byte(w->out, '"');
    uint8_t *room = bytes.len > SIZE_MAX / 2 ? NULL : buffer_reserve(w->out, 2 * bytes.len);
    if (room == NULL) {
        w->out->failed = true;
        return;
    }
    hex_encode((char *)room, bytes);
    buffer_commit(w->out, 2 * bytes.len);
    buffer_byte(w->out, '"');
}

void json_text_named(struct json_writer *w, struct bytes name, struct bytes text)
{
    json_begin(w, NULL);
    json_put_string(w->out, name);
    buffer_text(w->out, ": ");
    json_put_string(w->out, text);
}
