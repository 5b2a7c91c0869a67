/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Nitro Security Module as a virtio device (id 33, one queue), which a guest sees as /dev/nsm.
 *
 * Linux's driver (drivers/misc/nsm.c) adds request and response to the queue as two chains of one
 * descriptor each. So a request is kept until the chain for its answer arrives, and both are given
 * back in that order. A single chain with both parts, as other virtio devices use it, is served
 * too.
 */
#ifndef SIM_DEVICE_VIRTIO_NSM_H
#define SIM_DEVICE_VIRTIO_NSM_H

#include "sim/device/vhost_user.h"
#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_fault.h"

struct virtio_nsm {
    struct vhost_user vhost;
    struct vhost_device device;
    struct nsm_engine *engine; /* the caller's */
    const struct nsm_fault *fault;
    bool has_request;
    uint16_t request_head;
    size_t request_len;
    /* One byte more than is allowed, so that the engine sees a request that is too long. */
    uint8_t request[NSM_ENGINE_REQUEST_MAX + 1];
    struct virtqueue_chain chain;
    void *context; /* for ended */
    void (*ended)(void *context, const struct error *err);
};

/* Serves on the connected socket fd and owns it from now on. The caller sets ended and context
 * before. */
MUST_USE bool virtio_nsm_start(struct virtio_nsm *nsm, struct event_loop *loop,
                               struct nsm_engine *engine, const struct nsm_fault *fault, int fd,
                               struct error *err);
/* Safe on a zeroed struct. */
void virtio_nsm_stop(struct virtio_nsm *nsm);

#endif
