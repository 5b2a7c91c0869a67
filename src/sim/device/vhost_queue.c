/* SPDX-License-Identifier: Apache-2.0 */
/* The queues of a device and its end, which closes them. */
#include "sim/device/vhost_queue.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct virtqueue *vhost_user_queue(struct vhost_user *vhost, size_t queue)
{
    struct vhost_queue *q = &vhost->queues[queue];
    return virtqueue_started(&q->ring) ? &q->ring : NULL;
}

void vhost_user_call(struct vhost_user *vhost, size_t queue)
{
    struct vhost_queue *q = &vhost->queues[queue];
    uint64_t one = 1;
    /* A full eventfd has already signalled the guest; a broken one harms only the guest. */
    if (q->call >= 0 && virtqueue_started(&q->ring) && virtqueue_wants_call(&q->ring))
        (void)!write(q->call, &one, sizeof one);
}

void vhost_user_again(struct vhost_user *vhost, size_t queue)
{
    uint64_t one = 1;
    if (vhost->queues[queue].kick.fd >= 0)
        (void)!write(vhost->queues[queue].kick.fd, &one, sizeof one);
}

static void drop_kick(struct vhost_user *vhost, struct vhost_queue *q)
{
    if (q->kick.fd < 0)
        return;
    event_remove(vhost->loop, &q->kick);
    close(q->kick.fd);
    q->kick.fd = -1;
}

static void drop_call(struct vhost_queue *q)
{
    if (q->call >= 0)
        close(q->call);
    q->call = -1;
}

static void pause_queue(struct vhost_user *vhost, struct vhost_queue *q)
{
    if (!virtqueue_started(&q->ring))
        return;
    q->next = q->ring.next;
    virtqueue_stop(&q->ring);
    if (vhost->device->stopped != NULL)
        vhost->device->stopped(vhost->device->context, (size_t)(q - vhost->queues));
}

void vhost_queue_stop(struct vhost_user *vhost, struct vhost_queue *q)
{
    pause_queue(vhost, q);
    drop_kick(vhost, q);
    drop_call(q);
}

/* Closes connection and queues. The memory stays mapped: a caller may hold a pointer into it. */
static void close_down(struct vhost_user *vhost)
{
    if (!vhost->is_open)
        return;
    vhost->is_open = false;
    event_remove(vhost->loop, &vhost->connection);
    close(vhost->connection.fd);
    vhost_message_clear(&vhost->message);
    for (size_t i = 0; i < vhost->device->queue_count; i++)
        vhost_queue_stop(vhost, &vhost->queues[i]);
}

void vhost_user_end(struct vhost_user *vhost, const struct error *err)
{
    if (!vhost->is_open)
        return;
    close_down(vhost);
    vhost->device->ended(vhost->device->context, err);
}

void vhost_user_stop(struct vhost_user *vhost)
{
    close_down(vhost);
    guest_memory_clear(&vhost->memory);
}

static bool call_device(struct vhost_user *vhost, struct vhost_queue *q, struct error *err)
{
    return vhost->device->kicked(vhost->device->context, (size_t)(q - vhost->queues), err);
}

static void on_kick(struct event_source *source, uint32_t events)
{
    struct vhost_queue *q = (struct vhost_queue *)source; /* its first member */
    struct vhost_user *vhost = q->owner;
    struct error err = {0};
    uint64_t count;
    if (read(source->fd, &count, sizeof count) < 0 && errno != EAGAIN && errno != EINTR) {
        (void)error_set_errno(&err, ERROR_SYSTEM, "cannot read a queue's signal");
        vhost_user_end(vhost, &err);
    } else if ((events & EPOLLIN) != 0 && virtqueue_started(&q->ring) &&
               !call_device(vhost, q, &err)) {
        vhost_user_end(vhost, &err);
    }
}

void vhost_queue_init(struct vhost_user *vhost, struct vhost_queue *q)
{
    *q = (struct vhost_queue){.kick = {.fd = -1, .ready = on_kick}, .owner = vhost, .call = -1};
}

bool vhost_queue_set_kick(struct vhost_user *vhost, struct vhost_queue *q, int fd,
                          struct error *err)
{
    drop_kick(vhost, q);
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
        (void)error_set_errno(err, ERROR_SYSTEM, "vhost-user: a kick descriptor");
        close(fd);
        return false;
    }
    q->kick.fd = fd;
    return event_add(vhost->loop, &q->kick, EPOLLIN, err);
}

void vhost_queue_set_call(struct vhost_queue *q, int fd)
{
    drop_call(q);
    q->call = fd;
}

/*
 * A queue runs once it has a place, a size and a kick, and is enabled. Chains that the guest added
 * before are served at once.
 */
bool vhost_queue_update(struct vhost_user *vhost, struct vhost_queue *q, struct error *err)
{
    bool runs = q->placed && q->size > 0 && q->kick.fd >= 0 && q->enabled;
    if (!runs)
        pause_queue(vhost, q);
    if (!runs || virtqueue_started(&q->ring))
        return true;
    return virtqueue_start(&q->ring, &vhost->memory, &q->place, q->size, q->next, err) &&
           call_device(vhost, q, err);
}

/* Queues that run find their places in the new memory and continue where they were. */
bool vhost_queues_move(struct vhost_user *vhost, struct error *err)
{
    for (size_t i = 0; i < vhost->device->queue_count; i++) {
        struct virtqueue *ring = &vhost->queues[i].ring;
        if (virtqueue_started(ring) &&
            !virtqueue_start(ring, &vhost->memory, &vhost->queues[i].place, ring->size, ring->next,
                             err))
            return false;
    }
    return true;
}
