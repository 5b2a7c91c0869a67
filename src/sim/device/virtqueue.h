/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of a split virtqueue (virtio 1.2, section 2.7), with a guest in mind that lies:
 * every index, address and length is checked against the memory that was shared, and a chain can be
 * no longer than its queue. Neither indirect descriptors nor event indices are offered.
 */
#ifndef SIM_DEVICE_VIRTQUEUE_H
#define SIM_DEVICE_VIRTQUEUE_H

#include "sim/device/guest_memory.h"

#define VIRTQUEUE_SIZE_MAX 256 /* QEMU: 64 for a test device, 128 for vsock */

/* Where the parts lie, as addresses of the front end's process. */
struct virtqueue_place {
    uint64_t desc;
    uint64_t avail;
    uint64_t used;
};

struct virtqueue {
    const struct guest_memory *memory;
    uint16_t size;
    uint16_t next;       /* index of the next chain to take */
    uint16_t used_next;  /* index of the next to be given back */
    const uint8_t *desc; /* NULL: not started */
    const uint8_t *avail;
    uint8_t *used;
};

struct virtqueue_piece {
    uint8_t *at; /* in the guest's memory: it may change while it is read */
    uint32_t len;
};

/* A chain: first what the device may read, then what it may write. */
struct virtqueue_chain {
    uint16_t head;
    size_t readable; /* pieces */
    size_t writable; /* pieces, behind them */
    uint64_t readable_len;
    uint64_t writable_len;
    struct virtqueue_piece pieces[VIRTQUEUE_SIZE_MAX];
};

enum virtqueue_result {
    VIRTQUEUE_EMPTY,
    VIRTQUEUE_CHAIN,
    VIRTQUEUE_BROKEN, /* the guest broke the rules: take nothing more from this queue */
};

/* size: a power of two up to VIRTQUEUE_SIZE_MAX. next: the first chain to take. ERROR_FORMAT. */
MUST_USE bool virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory,
                              const struct virtqueue_place *place, uint16_t size, uint16_t next,
                              struct error *err);
void virtqueue_stop(struct virtqueue *queue);
bool virtqueue_started(const struct virtqueue *queue);

/* Takes the next chain. err says what is broken. */
MUST_USE enum virtqueue_result virtqueue_take(struct virtqueue *queue,
                                              struct virtqueue_chain *chain, struct error *err);
/* Undoes the last virtqueue_take. */
void virtqueue_untake(struct virtqueue *queue);

/* Gives a chain back with the number of bytes that were written to it. */
void virtqueue_give(struct virtqueue *queue, uint16_t head, uint32_t written);
/* Whether the guest wants to be told that something has been given back. */
bool virtqueue_wants_call(const struct virtqueue *queue);

/* Copies len bytes from offset on out of the readable part: false if it has not so many. */
MUST_USE bool virtqueue_read(const struct virtqueue_chain *chain, uint64_t offset, void *to,
                             size_t len);
/* Copies into the writable part from offset on: false if it has no room for all. */
MUST_USE bool virtqueue_write(const struct virtqueue_chain *chain, uint64_t offset,
                              struct bytes from);

#endif
