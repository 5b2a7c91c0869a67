/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/secret.h"

#define FIRST_CAP        256u
#define FIRST_CAP_SECRET 4096u /* secret memory comes in pages */

void buffer_init(struct buffer *b, size_t limit)
{
    *b = (struct buffer){.limit = limit};
}

void buffer_init_secret(struct buffer *b, size_t limit)
{
    *b = (struct buffer){.limit = limit, .secret = true};
}

static void release(struct buffer *b)
{
    if (b->secret) {
        secret_free(b->at, b->cap);
    } else {
        wipe(b->at, b->cap);
        free(b->at);
    }
}

void buffer_clear(struct buffer *b)
{
    release(b);
    b->at = NULL;
    b->len = b->cap = 0;
    b->failed = b->full = false;
}

void buffer_reset(struct buffer *b)
{
    wipe(b->at, b->len);
    b->len = 0;
    b->failed = b->full = false;
}

/* Doubling keeps appending linear. */
size_t buffer_cap_after(const struct buffer *b, size_t more)
{
    size_t first = b->secret ? FIRST_CAP_SECRET : FIRST_CAP;
    size_t cap = b->cap < first ? first : b->cap;
    if (more <= b->cap - b->len)
        return b->cap;
    while (cap - b->len < more)
        cap = cap > SIZE_MAX / 2 ? SIZE_MAX : cap * 2;
    return cap < b->limit ? cap : b->limit;
}

/* The old memory is wiped, which realloc would not do. */
static bool grow(struct buffer *b, size_t cap)
{
    uint8_t *at = b->secret ? secret_alloc(cap) : malloc(cap);
    if (at == NULL)
        return false;
    if (b->len > 0)
        memcpy(at, b->at, b->len);
    release(b);
    b->at = at;
    b->cap = cap;
    return true;
}

uint8_t *buffer_reserve(struct buffer *b, size_t more)
{
    if (b->failed)
        return NULL;
    b->full = more > b->limit - b->len;
    b->failed = b->full || (more > b->cap - b->len && !grow(b, buffer_cap_after(b, more)));
    if (b->failed)
        return NULL;
    static uint8_t nothing[1]; /* room for zero bytes of a buffer that has none yet */
    return b->at == NULL ? nothing : b->at + b->len;
}

void buffer_commit(struct buffer *b, size_t n)
{
    b->len += n;
}

void buffer_append(struct buffer *b, struct bytes bytes)
{
    uint8_t *room = buffer_reserve(b, bytes.len);
    if (room == NULL || bytes.len == 0)
        return;
    memcpy(room, bytes.at, bytes.len);
    b->len += bytes.len;
}

void buffer_text(struct buffer *b, const char *text)
{
    buffer_append(b, bytes_text(text));
}

void buffer_byte(struct buffer *b, uint8_t byte)
{
    buffer_append(b, bytes_of(&byte, 1));
}

void buffer_printf(struct buffer *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    /* vsnprintf wants room for its terminator, which is not counted. */
    uint8_t *room = len < 0 ? NULL : buffer_reserve(b, (size_t)len + 1);
    if (room != NULL) {
        vsnprintf((char *)room, (size_t)len + 1, format, again);
        b->len += (size_t)len;
    } else {
        b->failed = true;
    }
    va_end(again);
}

void buffer_consume(struct buffer *b, size_t n)
{
    if (n == 0)
        return;
    size_t left = b->len - n;
    memmove(b->at, b->at + n, left);
    wipe(b->at + left, n);
    b->len = left;
}

void buffer_truncate(struct buffer *b, size_t len)
{
    if (b->len > len)
        wipe(b->at + len, b->len - len);
    b->len = len;
    b->failed = b->full = false;
}
