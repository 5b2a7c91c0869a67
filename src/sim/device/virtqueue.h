/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device's side of a split virtqueue (virtio 1.2, section 2.7). The guest is not trusted: every
 * index, address and length is checked against the shared memory, and a chain cannot be longer than
 * its queue. Neither indirect descriptors nor event indices are offered.
 */
#ifndef SIM_DEVICE_VIRTQUEUE_H
#define SIM_DEVICE_VIRTQUEUE_H

#include "sim/device/guest_memory.h"

#define VIRTQUEUE_SIZE_MAX 256 /* QEMU: 64 for a test device, 128 for vsock */

/* Where the parts are, as addresses in the process of the front end. */
struct virtqueue_place {
    uint64_t desc;
    uint64_t avail;
    uint64_t used;
};

struct virtqueue {
    const struct guest_memory *memory;
    uint16_t size;
    uint16_t next;       /* index of the next chain to take */
    uint16_t used_next;  /* index of the next chain to give back */
    const uint8_t *desc; /* NULL: not started */
    const uint8_t *avail;
    uint8_t *used;
};

struct virtqueue_piece {
    uint8_t *at; /* in the guest's memory: it may change while it is read */
    uint32_t len;
};

/* A chain: first the pieces that the device may read, then those that it may write. */
struct virtqueue_chain {
    uint16_t head;
    size_t readable; /* pieces */
    size_t writable; /* pieces after them */
    uint64_t readable_len;
    uint64_t writable_len;
    struct virtqueue_piece pieces[VIRTQUEUE_SIZE_MAX];
};

enum virtqueue_result {
    VIRTQUEUE_EMPTY,
    VIRTQUEUE_CHAIN,
    VIRTQUEUE_BROKEN, /* the guest broke the rules; take nothing more from this queue */
};

/* size: a power of two up to VIRTQUEUE_SIZE_MAX. next: the first chain to take. ERROR_FORMAT. */
MUST_USE bool virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory,
                              const struct virtqueue_place *place, uint16_t size, uint16_t next,
                              struct error *err);
void virtqueue_stop(struct virtqueue *queue);
bool virtqueue_started(const struct virtqueue *queue);

/* Takes the next chain. With VIRTQUEUE_BROKEN, err says which rule was broken. */
MUST_USE enum virtqueue_result virtqueue_take(struct virtqueue *queue,
                                              struct virtqueue_chain *chain, struct error *err);
/* Undoes the last virtqueue_take. */
void virtqueue_untake(struct virtqueue *queue);

/* Gives back a chain and reports how many bytes were written to it. */
void virtqueue_give(struct virtqueue *queue, uint16_t head, uint32_t written);
/* Whether the guest wants a signal that chains were given back. */
bool virtqueue_wants_call(const struct virtqueue *queue);

/* Copies len bytes of the readable part, from offset on; false if it has fewer. */
MUST_USE bool virtqueue_read(const struct virtqueue_chain *chain, uint64_t offset, void *to,
                             size_t len);
/* Copies from into the writable part, from offset on; false if there is no room for all. */
MUST_USE bool virtqueue_write(const struct virtqueue_chain *chain, uint64_t offset,
                              struct bytes from);

#endif
