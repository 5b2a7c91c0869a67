/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The back end of vhost-user for one device: QEMU shows the guest a virtio device and lets us be
 * it. The connection is one end of a socket pair that QEMU was started with, so that nobody else
 * can be the front end. Protocol: QEMU docs/interop/vhost-user.rst; devices: virtio 1.2.
 *
 * A front end or a guest that breaks the rules ends the device, with the reason, and nothing else.
 */
#ifndef SIM_DEVICE_VHOST_USER_H
#define SIM_DEVICE_VHOST_USER_H

#include "sim/device/vhost_message.h"
#include "sim/device/virtqueue.h"
#include "sim/event_loop.h"

#define VHOST_QUEUES_MAX 2

struct vhost_user;

/* What makes a device of it. */
struct vhost_device {
    const char *name; /* for messages */
    size_t queue_count;
    uint64_t features;   /* the device's own; VERSION_1 is always offered */
    struct bytes config; /* its configuration space, read-only; may be empty */
    void *context;
    /* The guest has put chains into a queue, or a queue has just been started. False: it broke the
     * rules, err says how. */
    bool (*kicked)(void *context, size_t queue, struct error *err);
    /* The guest has stopped the queue; NULL if the device keeps nothing of it. */
    void (*stopped)(void *context, size_t queue);
    /* The device ended: ERROR_CLOSED when QEMU did, another code when something was broken. */
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
    uint64_t features;          /* those that were agreed on */
    uint64_t protocol_features; /* likewise */
    bool is_open;
    struct vhost_queue queues[VHOST_QUEUES_MAX];
};

/* Serves device on the connected socket fd, which is then vhost's. device and loop must outlive it.
 */
MUST_USE bool vhost_user_start(struct vhost_user *vhost, struct event_loop *loop,
                               const struct vhost_device *device, int fd, struct error *err);
/* Lets go of descriptors and memory; ended is not called. Safe on a zeroed struct. */
void vhost_user_stop(struct vhost_user *vhost);

/* The queue to take from and give to; NULL while the guest has not started it. */
struct virtqueue *vhost_user_queue(struct vhost_user *vhost, size_t queue);
/* Tells the guest that chains were given back, if it wants to know. */
void vhost_user_call(struct vhost_user *vhost, size_t queue);
/* Has kicked called once more, after others had their turn. */
void vhost_user_again(struct vhost_user *vhost, size_t queue);
/* Ends the device from inside, for a reason other than a kick. */
void vhost_user_fail(struct vhost_user *vhost, const struct error *err);

#endif
