/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/device/virtio_vsock.h"

/*
 * QEMU keeps the third queue, for events: it only reports that a guest was migrated. The queues are
 * named from the guest's side.
 */
enum { RECEIVE, TRANSMIT, QUEUES };

/* Chains served in one turn: a guest can refill a queue as fast as it is emptied. */
#define CHAINS_MAX 128

/* Makes the event loop serve the guest's receive queue once more, after the current event. */
static void wake(void *context)
{
    struct virtio_vsock *device = context;
    if (device->is_awake)
        return;
    device->is_awake = true;
    vhost_user_again(&device->vhost, RECEIVE);
}

/* Writes the next packet, if there is one, into the chain that was taken. */
static bool fill_chain(struct virtio_vsock *device, struct virtqueue *queue, bool *filled,
                       struct error *err)
{
    struct virtqueue_chain *chain = &device->chain;
    struct vsock_packet packet;
    uint8_t header[VSOCK_HEADER_SIZE];
    if (chain->readable > 0 || chain->writable_len <= VSOCK_HEADER_SIZE)
        return error_set(err, ERROR_FORMAT, "vsock: a receive buffer is too small for a packet");
    uint64_t room = chain->writable_len - VSOCK_HEADER_SIZE;
    *filled = vsock_next(&device->vsock, &packet, device->payload,
                         room < VSOCK_PAYLOAD_MAX ? (size_t)room : VSOCK_PAYLOAD_MAX);
    if (!*filled) {
        virtqueue_untake(queue);
        return true;
    }
    vsock_packet_store(header, &packet);
    if (!virtqueue_write(chain, 0, bytes_of(header, sizeof header)) ||
        !virtqueue_write(chain, sizeof header, bytes_of(device->payload, packet.len)))
        return error_set(err, ERROR_INTERNAL, "vsock: a packet is larger than its buffer");
    virtqueue_give(queue, chain->head, (uint32_t)(sizeof header + packet.len));
    return true;
}

/* Sends packets to the guest as long as it has buffers for them. */
static bool serve_receive(struct virtio_vsock *device, struct virtqueue *queue, struct error *err)
{
    device->is_awake = false;
    bool filled = true;
    unsigned count = 0;
    while (filled && count < CHAINS_MAX) {
        enum virtqueue_result result = virtqueue_take(queue, &device->chain, err);
        if (result == VIRTQUEUE_BROKEN)
            return false;
        if (result == VIRTQUEUE_EMPTY)
            break;
        if (!fill_chain(device, queue, &filled, err))
            return false;
        count += filled;
    }
    if (count > 0)
        vhost_user_call(&device->vhost, RECEIVE);
    if (count == CHAINS_MAX)
        wake(device);
    return true;
}

/* A packet from the guest; the length in its header must be that of the chain. */
static bool take_packet(struct virtio_vsock *device, struct error *err)
{
    const struct virtqueue_chain *chain = &device->chain;
    struct vsock_packet packet;
    uint8_t header[VSOCK_HEADER_SIZE];
    if (chain->writable > 0 || !virtqueue_read(chain, 0, header, sizeof header))
        return error_set(err, ERROR_FORMAT, "vsock: a chain does not hold a packet");
    vsock_packet_load(&packet, header);
    if (packet.len > VSOCK_PAYLOAD_MAX || chain->readable_len - sizeof header != packet.len)
        return error_set(err, ERROR_FORMAT, "vsock: a packet of %u bytes in a chain of %llu",
                         packet.len, (unsigned long long)chain->readable_len);
    if (!virtqueue_read(chain, sizeof header, device->payload, packet.len))
        return error_set(err, ERROR_INTERNAL, "vsock: a chain is shorter than its length");
    return vsock_receive(&device->vsock, &packet, bytes_of(device->payload, packet.len), err);
}

/*
 * Takes packets from the guest. This queue is emptied even if the guest does not take its packets:
 * Linux stops taking packets while it has answers that it cannot send (virtio_transport.c,
 * queued_replies), so a device that waited for one queue before serving the other would wait for
 * ever. An answer that cannot be sent at once is owed or dropped; it never blocks this queue.
 */
static bool serve_transmit(struct virtio_vsock *device, struct virtqueue *queue, struct error *err)
{
    unsigned count = 0;
    while (count < CHAINS_MAX) {
        enum virtqueue_result result = virtqueue_take(queue, &device->chain, err);
        if (result == VIRTQUEUE_BROKEN)
            return false;
        if (result == VIRTQUEUE_EMPTY)
            break;
        uint16_t head = device->chain.head;
        if (!take_packet(device, err))
            return false;
        virtqueue_give(queue, head, 0);
        count++;
    }
    if (count > 0)
        vhost_user_call(&device->vhost, TRANSMIT);
    if (count == CHAINS_MAX)
        vhost_user_again(&device->vhost, TRANSMIT);
    return true;
}

static bool kicked(void *context, size_t index, struct error *err)
{
    struct virtio_vsock *device = context;
    struct virtqueue *queue = vhost_user_queue(&device->vhost, index);
    return index == RECEIVE ? serve_receive(device, queue, err)
                            : serve_transmit(device, queue, err);
}

static void ended(void *context, const struct error *err)
{
    struct virtio_vsock *device = context;
    device->ended(device->context, err);
}

bool virtio_vsock_start(struct virtio_vsock *device, struct event_loop *loop, int fd,
                        struct error *err)
{
    device->vsock.loop = loop;
    device->vsock.wake = wake;
    device->vsock.context = device;
    vsock_init(&device->vsock);
    for (size_t i = 0; i < sizeof device->config; i++)
        device->config[i] = (uint8_t)(device->vsock.guest_cid >> (8 * i));
    device->device = (struct vhost_device){.name = "vsock",
                                           .queue_count = QUEUES,
                                           .config = bytes_of(device->config, 8),
                                           .context = device,
                                           .kicked = kicked,
                                           .ended = ended};
    return vhost_user_start(&device->vhost, loop, &device->device, fd, err);
}

void virtio_vsock_stop(struct virtio_vsock *device)
{
    if (device->vhost.loop == NULL)
        return;
    vsock_clear(&device->vsock);
    vhost_user_stop(&device->vhost);
}
