/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A growing byte buffer with a limit and a sticky failure: build the whole message, check once.
 *
 * Every buffer wipes the bytes that it gives up (when it grows, is reset or is cleared), so nobody
 * has to decide what may pass through it. A secret buffer also takes its memory from secret_alloc.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include "base/bytes.h"

struct buffer {
    uint8_t *at;  /* NULL while nothing is allocated */
    size_t len;   /* bytes in use */
    size_t cap;   /* bytes allocated */
    size_t limit; /* len never exceeds it */
    bool secret;
    bool failed; /* limit or memory exceeded since the last reset; content is then not to be used */
    bool full;   /* failed, and it was the limit */
};

/* limit: the largest number of bytes the buffer will hold. Allocates nothing. */
void buffer_init(struct buffer *b, size_t limit);
void buffer_init_secret(struct buffer *b, size_t limit);

/* Wipes and frees; the buffer can be used again. Safe on a zeroed struct. */
void buffer_clear(struct buffer *b);

/* Wipes what is in use, keeps the memory and forgets the failure. */
void buffer_reset(struct buffer *b);

/*
 * Makes room for more bytes after len and returns where they go, or NULL, and failed is set.
 * buffer_commit then counts the n bytes that were written there, at most as many as asked for.
 */
MUST_USE uint8_t *buffer_reserve(struct buffer *b, size_t more);
/* What cap would be after buffer_reserve(b, more), where that is within the limit. */
size_t buffer_cap_after(const struct buffer *b, size_t more);
void buffer_commit(struct buffer *b, size_t n);

/* Each appends; once failed is set, none does anything. buffer_text takes no wire data. */
void buffer_append(struct buffer *b, struct bytes bytes);
void buffer_text(struct buffer *b, const char *text);
void buffer_byte(struct buffer *b, uint8_t byte);
void buffer_printf(struct buffer *b, const char *format, ...) PRINTF_LIKE(2, 3);

/* Drops the first n <= len bytes: moves the rest to the front and wipes where it was. */
void buffer_consume(struct buffer *b, size_t n);

/* Keeps the first len bytes, wipes what came after them, and forgets the failure. */
void buffer_truncate(struct buffer *b, size_t len);

static inline struct bytes buffer_bytes(const struct buffer *b)
{
    return bytes_of(b->at, b->len);
}

/* For __attribute__((cleanup)). */
#define BUFFER_AUTO __attribute__((cleanup(buffer_clear))) struct buffer

#endif
