/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of a device, for vhost_user.c and vhost_requests.c. */
#ifndef SIM_DEVICE_VHOST_QUEUE_H
#define SIM_DEVICE_VHOST_QUEUE_H

#include "sim/device/vhost_user.h"

void vhost_queue_init(struct vhost_user *vhost, struct vhost_queue *q);
/* Owns fd from now on, also on failure. */
MUST_USE bool vhost_queue_set_kick(struct vhost_user *vhost, struct vhost_queue *q, int fd,
                                   struct error *err);
void vhost_queue_set_call(struct vhost_queue *q, int fd);
/* Starts or stops the queue, by what is known about it now. */
MUST_USE bool vhost_queue_update(struct vhost_user *vhost, struct vhost_queue *q,
                                 struct error *err);
/* Stops the queue and closes its descriptors; q->next is where it stopped. */
void vhost_queue_stop(struct vhost_user *vhost, struct vhost_queue *q);
/* To be called when the memory table has changed. */
MUST_USE bool vhost_queues_move(struct vhost_user *vhost, struct error *err);

/* Ends the device for the reason err, which its owner is told. */
void vhost_user_end(struct vhost_user *vhost, const struct error *err);

#endif
