/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vsock device (virtio id 19). QEMU's vhost-user-vsock-device presents it to the guest; this
 * moves packets between its queues and the parent's side (vsock.h).
 */
#ifndef SIM_DEVICE_VIRTIO_VSOCK_H
#define SIM_DEVICE_VIRTIO_VSOCK_H

#include "sim/device/vhost_user.h"
#include "sim/vsock/vsock.h"

struct virtio_vsock {
    struct vhost_user vhost;
    struct vhost_device device;
    struct vsock vsock;
    uint8_t config[8]; /* the guest's CID, little-endian */
    bool is_awake;     /* the guest's receive queue will be served */
    uint8_t payload[VSOCK_PAYLOAD_MAX];
    struct virtqueue_chain chain;
    void *context; /* for ended */
    void (*ended)(void *context, const struct error *err);
};

/*
 * Serves on the connected socket fd and owns it from now on. The caller sets ended, context,
 * vsock.targets, vsock.target_count and vsock.guest_cid before.
 */
MUST_USE bool virtio_vsock_start(struct virtio_vsock *device, struct event_loop *loop, int fd,
                                 struct error *err);
/* Safe on a zeroed struct. */
void virtio_vsock_stop(struct virtio_vsock *device);

#endif
