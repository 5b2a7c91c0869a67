/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Nitro Security Module as a virtio device (id 33, one queue): what is behind /dev/nsm.
 *
 * Linux's driver (drivers/misc/nsm.c) puts request and response into the queue as two chains of one
 * descriptor each, so a request is kept until the chain for its answer comes; both are given back
 * in that order. One chain with both parts, as virtio has it elsewhere, is served too.
 */
#ifndef SIM_DEVICE_VIRTIO_NSM_H
#define SIM_DEVICE_VIRTIO_NSM_H

#include "sim/device/vhost_user.h"
#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_fault.h"

#define VIRTIO_NSM_ID 33

struct virtio_nsm {
    struct vhost_user vhost;
    struct vhost_device device;
    struct nsm_engine *engine; /* the caller's */
    const struct nsm_fault *fault;
    bool has_request;
    uint16_t request_head;
    size_t request_len;
    uint8_t request[NSM_ENGINE_REQUEST_MAX + 1]; /* a byte more: the engine says that it is long */
    struct virtqueue_chain chain;
    void *context; /* for ended */
    void (*ended)(void *context, const struct error *err);
};

/* Serves on the connected socket fd, which is then the device's. ended and context are set by the
 * caller before. */
MUST_USE bool virtio_nsm_start(struct virtio_nsm *nsm, struct event_loop *loop,
                               struct nsm_engine *engine, const struct nsm_fault *fault, int fd,
                               struct error *err);
/* Safe on a zeroed struct. */
void virtio_nsm_stop(struct virtio_nsm *nsm);

#endif
