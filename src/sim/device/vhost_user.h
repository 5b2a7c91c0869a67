/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end of vhost-user for one device: QEMU presents a virtio device to the guest, and this
 * implements it. The connection is one end of a socket pair that QEMU was started with, so nobody
 * else can be the front end. Protocol: QEMU docs/interop/vhost-user.rst; devices: virtio 1.2.
 *
 * If the front end or the guest breaks the rules, the device ends, with the reason, and nothing
 * else.
 */
#ifndef SIM_DEVICE_VHOST_USER_H
#define SIM_DEVICE_VHOST_USER_H

#include "sim/device/vhost_message.h"
#include "sim/device/virtqueue.h"
#include "sim/event_loop.h"

#define VHOST_QUEUES_MAX 2

struct vhost_user;

/* A device: what it offers, and what it does. */
struct vhost_device {
    const char *name; /* for messages */
    size_t queue_count;
    uint64_t features;   /* the device's own; VERSION_1 is always offered */
    struct bytes config; /* its configuration space, read-only; may be empty */
    void *context;
    /* The guest has added chains to a queue, or a queue has just been started. False: the guest
     * broke the rules; err says how. */
    bool (*kicked)(void *context, size_t queue, struct error *err);
    /* The guest has stopped the queue. NULL if the device keeps nothing from the queue. */
    void (*stopped)(void *context, size_t queue);
    /* The device ended: ERROR_CLOSED because QEMU did, another code because of a fault. */
    void (*ended)(void *context, const struct error *err);
};

struct vhost_queue {
    struct event_source kick; /* the guest's signal to us; fd -1: none */
    struct vhost_user *owner;
    struct virtqueue ring;
    struct virtqueue_place place;
    bool placed;
    bool enabled;
    uint16_t size;
    uint16_t next;
    int call; /* our signal to the guest; -1: none */
};

struct vhost_user {
    struct event_source connection;
    struct event_loop *loop;
    const struct vhost_device *device;
    struct guest_memory memory;
    struct vhost_message message;
    uint64_t features;          /* negotiated */
    uint64_t protocol_features; /* negotiated */
    bool is_open;
    struct vhost_queue queues[VHOST_QUEUES_MAX];
};

/* Serves device on the connected socket fd and owns fd from now on. device and loop must outlive
 * vhost. */
MUST_USE bool vhost_user_start(struct vhost_user *vhost, struct event_loop *loop,
                               const struct vhost_device *device, int fd, struct error *err);
/* Closes descriptors and unmaps memory; ended is not called. Safe on a zeroed struct. */
void vhost_user_stop(struct vhost_user *vhost);

/* The queue to take chains from and give them back to; NULL if the guest has not started it. */
struct virtqueue *vhost_user_queue(struct vhost_user *vhost, size_t queue);
/* Signals the guest that chains were given back, unless it suppressed the signal. */
void vhost_user_call(struct vhost_user *vhost, size_t queue);
/* Makes the event loop call kicked once more, after other events. */
void vhost_user_again(struct vhost_user *vhost, size_t queue);

#endif
