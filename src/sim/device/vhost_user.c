/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/device/vhost_user.h"

#include "sim/device/vhost_queue.h"
#include "sim/device/vhost_requests.h"

static void on_message(struct event_source *source, uint32_t events)
{
    struct vhost_user *vhost = (struct vhost_user *)source; /* its first member */
    struct error err = {0};
    bool whole = true;
    (void)events;
    while (whole && vhost->is_open) {
        if (!vhost_message_read(&vhost->message, source->fd, &whole, &err) ||
            (whole && !vhost_user_serve(vhost, &err))) {
            vhost_user_end(vhost, &err);
            return;
        }
        if (whole)
            vhost_message_clear(&vhost->message);
    }
}

bool vhost_user_start(struct vhost_user *vhost, struct event_loop *loop,
                      const struct vhost_device *device, int fd, struct error *err)
{
    *vhost = (struct vhost_user){.connection = {.fd = fd, .ready = on_message},
                                 .loop = loop,
                                 .device = device,
                                 .is_open = true};
    for (size_t i = 0; i < VHOST_QUEUES_MAX; i++)
        vhost_queue_init(vhost, &vhost->queues[i]);
    return event_add(loop, &vhost->connection, EPOLLIN, err);
}
