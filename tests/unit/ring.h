/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A split virtqueue as a driver lays it out, in memory of the test's own, with nothing that keeps a
 * test from laying it out wrongly. Shared with fuzz/virtqueue.c.
 */
#ifndef TESTS_UNIT_RING_H
#define TESTS_UNIT_RING_H

#include "sim/device/virtqueue.h"

#define RING_GUEST 0x40000000u     /* where the guest has its memory */
#define RING_USER  0x7f0000000000u /* where the front end has it */
#define RING_BYTES 0x10000u        /* of memory */
#define RING_DESC  0x0u
#define RING_AVAIL 0x1000u
#define RING_USED  0x2000u
#define RING_DATA  0x4000u /* free for buffers */

#define RING_NEXT  1u
#define RING_WRITE 2u

static inline void ring_put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof value);
}

static inline uint16_t ring_get16(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint32_t ring_get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline struct virtqueue_place ring_place(void)
{
    return (struct virtqueue_place){.desc = RING_USER + RING_DESC,
                                    .avail = RING_USER + RING_AVAIL,
                                    .used = RING_USER + RING_USED};
}

/* memory has RING_BYTES bytes. */
static inline struct guest_memory ring_memory(uint8_t *memory)
{
    return (struct guest_memory){
        .count = 1,
        .regions = {{.guest = RING_GUEST, .user = RING_USER, .size = RING_BYTES, .at = memory}}};
}

static inline void ring_describe(uint8_t *memory, unsigned index, uint64_t address, uint32_t len,
                                 uint16_t flags, uint16_t next)
{
    uint8_t *at = memory + RING_DESC + 16 * (size_t)index;
    memcpy(at, &address, 8);
    memcpy(at + 8, &len, 4);
    ring_put16(at + 12, flags);
    ring_put16(at + 14, next);
}

/* Announces the chain that begins at head. */
static inline void ring_offer(uint8_t *memory, uint16_t size, uint16_t head)
{
    uint8_t *avail = memory + RING_AVAIL;
    uint16_t index = ring_get16(avail + 2);
    ring_put16(avail + 4 + 2 * (size_t)(index % size), head);
    ring_put16(avail + 2, (uint16_t)(index + 1));
}

#endif
