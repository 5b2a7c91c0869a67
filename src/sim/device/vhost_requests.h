/* SPDX-License-Identifier: Apache-2.0 */
/* Between vhost_user.c (connection and queues) and vhost_requests.c (what a front end asks for). */
#ifndef SIM_DEVICE_VHOST_REQUESTS_H
#define SIM_DEVICE_VHOST_REQUESTS_H

#include "sim/device/vhost_user.h"

/* Serves the message that has arrived. False: the device is to end. */
MUST_USE bool vhost_user_serve(struct vhost_user *vhost, struct error *err);

/* Takes fd, also on failure. */
MUST_USE bool vhost_queue_set_kick(struct vhost_user *vhost, struct vhost_queue *q, int fd,
                                   struct error *err);
void vhost_queue_set_call(struct vhost_queue *q, int fd);
/* Starts or stops the queue, as what is known of it now allows. */
MUST_USE bool vhost_queue_update(struct vhost_user *vhost, struct vhost_queue *q,
                                 struct error *err);
/* Stops the queue and closes its descriptors; q->next is where it stood. */
void vhost_queue_stop(struct vhost_user *vhost, struct vhost_queue *q);
/* The memory table has changed. */
MUST_USE bool vhost_queues_move(struct vhost_user *vhost, struct error *err);

#endif
