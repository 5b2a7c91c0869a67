/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Byte views: a pointer and a length that own nothing, passed by value.
 *
 * Data from a wire is always a view, never a C string: it may hold zeros and has no end mark.
 */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The result of a function with this mark must not be ignored. */
#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

/* A read-only view of len bytes. at may be NULL only if len is 0. */
struct bytes {
    const uint8_t *at;
    size_t len;
};

static inline struct bytes bytes_of(const void *at, size_t len)
{
    return (struct bytes){.at = at, .len = len};
}

/* A view of a C string without its terminator. Only for text of our own: never for wire data. */
static inline struct bytes bytes_text(const char *text)
{
    return bytes_of(text, strlen(text));
}

static inline bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static inline bool bytes_equal_text(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_text(text));
}

/* For secrets, tags and digests: compares without a branch on the content. Lengths are public. */
static inline bool bytes_equal_secret(struct bytes a, struct bytes b)
{
    if (a.len != b.len)
        return false;
    volatile uint8_t difference = 0;
    for (size_t i = 0; i < a.len; i++)
        difference = (uint8_t)(difference | (a.at[i] ^ b.at[i]));
    return difference == 0;
}

/* The part of view from offset on, empty when offset lies past the end. */
static inline struct bytes bytes_from(struct bytes view, size_t offset)
{
    if (offset >= view.len)
        return bytes_of(NULL, 0);
    return bytes_of(view.at + offset, view.len - offset);
}

/* Big-endian 32-bit integers, the byte order of frames and of COSE. at has 4 bytes. */
static inline uint32_t be32_load(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void be32_store(uint8_t *at, uint32_t value)
{
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

#endif
