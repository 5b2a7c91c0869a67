/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/device/virtqueue.h"

#include <endian.h>
#include <inttypes.h>

#define DESC_SIZE      16 /* u64 address, u32 length, u16 flags, u16 next */
#define DESC_NEXT      1
#define DESC_WRITE     2
#define AVAIL_NO_CALL  1
#define RING_HEAD_SIZE 4 /* u16 flags, u16 index; then the ring */
#define AVAIL_SIZE     2 /* u16 head */
#define USED_SIZE      8 /* u32 head, u32 length */

struct descriptor {
    uint64_t address;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

/* Acquire: what the guest wrote before this number is visible, too. */
static uint16_t load16(const uint8_t *at)
{
    return le16toh(__atomic_load_n((const uint16_t *)(const void *)at, __ATOMIC_ACQUIRE));
}

/* Copied once, then checked and used: the guest may change the original at any time. */
static struct descriptor load_descriptor(const uint8_t *at)
{
    struct descriptor d;
    memcpy(&d.address, at, 8);
    memcpy(&d.len, at + 8, 4);
    memcpy(&d.flags, at + 12, 2);
    memcpy(&d.next, at + 14, 2);
    return (struct descriptor){.address = le64toh(d.address),
                               .len = le32toh(d.len),
                               .flags = le16toh(d.flags),
                               .next = le16toh(d.next)};
}

static bool aligned(const void *at, uintptr_t to)
{
    return (uintptr_t)at % to == 0;
}

bool virtqueue_start(struct virtqueue *queue, const struct guest_memory *memory,
                     const struct virtqueue_place *place, uint16_t size, uint16_t next,
                     struct error *err)
{
    virtqueue_stop(queue);
    if (size == 0 || size > VIRTQUEUE_SIZE_MAX || (size & (size - 1)) != 0)
        return error_set(err, ERROR_FORMAT, "a queue of %u descriptors", size);
    uint8_t *desc = guest_memory_user(memory, place->desc, (uint64_t)DESC_SIZE * size);
    /* The u16 after each ring is for event indices, which are not offered. */
    uint8_t *avail =
        guest_memory_user(memory, place->avail, RING_HEAD_SIZE + (uint64_t)AVAIL_SIZE * size);
    uint8_t *used =
        guest_memory_user(memory, place->used, RING_HEAD_SIZE + (uint64_t)USED_SIZE * size);
    if (desc == NULL || avail == NULL || used == NULL)
        return error_set(err, ERROR_FORMAT, "a queue lies outside the guest's memory");
    if (!aligned(desc, 16) || !aligned(avail, 2) || !aligned(used, 4))
        return error_set(err, ERROR_FORMAT, "a queue is not aligned");
    *queue = (struct virtqueue){.memory = memory,
                                .size = size,
                                .next = next,
                                .used_next = load16(used + 2),
                                .desc = desc,
                                .avail = avail,
                                .used = used};
    return true;
}

void virtqueue_stop(struct virtqueue *queue)
{
    queue->desc = NULL;
}

bool virtqueue_started(const struct virtqueue *queue)
{
    return queue->desc != NULL;
}

static enum virtqueue_result broken(struct error *err, const char *what, uint64_t number)
{
    (void)error_set(err, ERROR_FORMAT, "virtqueue: %s (%#" PRIx64 ")", what, number);
    return VIRTQUEUE_BROKEN;
}

static enum virtqueue_result add_piece(const struct virtqueue *queue, struct virtqueue_chain *chain,
                                       const struct descriptor *d, struct error *err)
{
    bool writable = (d->flags & DESC_WRITE) != 0;
    uint8_t *at = guest_memory_at(queue->memory, d->address, d->len);
    if ((d->flags & ~(DESC_NEXT | DESC_WRITE)) != 0)
        return broken(err, "a descriptor with flags that were not offered", d->flags);
    if (at == NULL)
        return broken(err, "a descriptor outside the guest's memory", d->address);
    if (!writable && chain->writable > 0)
        return broken(err, "a readable descriptor after a writable one", d->address);
    chain->pieces[chain->readable + chain->writable] = (struct virtqueue_piece){at, d->len};
    if (writable) {
        chain->writable++;
        chain->writable_len += d->len;
    } else {
        chain->readable++;
        chain->readable_len += d->len;
    }
    return VIRTQUEUE_CHAIN;
}

enum virtqueue_result virtqueue_take(struct virtqueue *queue, struct virtqueue_chain *chain,
                                     struct error *err)
{
    uint16_t end = load16(queue->avail + 2);
    uint16_t waiting = (uint16_t)(end - queue->next);
    if (waiting == 0)
        return VIRTQUEUE_EMPTY;
    if (waiting > queue->size)
        return broken(err, "more chains announced than the queue can hold", waiting);
    size_t slot = queue->next & (queue->size - 1u);
    uint16_t index = load16(queue->avail + RING_HEAD_SIZE + AVAIL_SIZE * slot);
    chain->head = index;
    chain->readable = chain->writable = 0;
    chain->readable_len = chain->writable_len = 0;
    for (uint16_t seen = 0; seen < queue->size; seen++) {
        if (index >= queue->size)
            return broken(err, "an index beyond the queue", index);
        struct descriptor d = load_descriptor(queue->desc + (size_t)DESC_SIZE * index);
        if (add_piece(queue, chain, &d, err) == VIRTQUEUE_BROKEN)
            return VIRTQUEUE_BROKEN;
        if ((d.flags & DESC_NEXT) == 0) {
            queue->next++;
            return VIRTQUEUE_CHAIN;
        }
        index = d.next;
    }
    return broken(err, "a chain that forms a circle", index);
}

void virtqueue_untake(struct virtqueue *queue)
{
    queue->next--;
}

void virtqueue_give(struct virtqueue *queue, uint16_t head, uint32_t written)
{
    size_t slot = queue->used_next & (queue->size - 1u);
    uint8_t *at = queue->used + RING_HEAD_SIZE + USED_SIZE * slot;
    uint32_t element[2] = {htole32(head), htole32(written)};
    memcpy(at, element, sizeof element);
    queue->used_next++;
    /* Release: a guest that sees the index also sees the element and the data. */
    __atomic_store_n((uint16_t *)(void *)(queue->used + 2), htole16(queue->used_next),
                     __ATOMIC_RELEASE);
}

bool virtqueue_wants_call(const struct virtqueue *queue)
{
    /* The index must be visible before the flag is read, or both sides may wait for each other. */
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return (load16(queue->avail) & AVAIL_NO_CALL) == 0;
}

bool virtqueue_read(const struct virtqueue_chain *chain, uint64_t offset, void *to, size_t len)
{
    uint8_t *out = to;
    for (size_t i = 0; i < chain->readable && len > 0; i++) {
        const struct virtqueue_piece *piece = &chain->pieces[i];
        if (offset >= piece->len) {
            offset -= piece->len;
            continue;
        }
        size_t here = piece->len - (size_t)offset;
        here = here < len ? here : len;
        memcpy(out, piece->at + offset, here);
        out += here;
        len -= here;
        offset = 0;
    }
    return len == 0;
}

bool virtqueue_write(const struct virtqueue_chain *chain, uint64_t offset, struct bytes from)
{
    for (size_t i = 0; i < chain->writable && from.len > 0; i++) {
        const struct virtqueue_piece *piece = &chain->pieces[chain->readable + i];
        if (offset >= piece->len) {
            offset -= piece->len;
            continue;
        }
        size_t here = piece->len - (size_t)offset;
        here = here < from.len ? here : from.len;
        memcpy(piece->at + offset, from.at, here);
        from = bytes_from(from, here);
        offset = 0;
    }
    return from.len == 0;
}
