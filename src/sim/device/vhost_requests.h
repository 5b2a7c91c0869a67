/* SPDX-License-Identifier: Apache-2.0 */
/* The requests of a front end. */
#ifndef SIM_DEVICE_VHOST_REQUESTS_H
#define SIM_DEVICE_VHOST_REQUESTS_H

#include "sim/device/vhost_user.h"

/* Serves the message that has arrived. False: the device must end. */
MUST_USE bool vhost_user_serve(struct vhost_user *vhost, struct error *err);

#endif
