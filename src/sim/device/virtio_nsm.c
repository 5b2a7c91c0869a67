/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/device/virtio_nsm.h"

#include "base/clock.h"

static void keep_request(struct virtio_nsm *nsm)
{
    const struct virtqueue_chain *chain = &nsm->chain;
    size_t len = chain->readable_len < sizeof nsm->request ? (size_t)chain->readable_len
                                                           : sizeof nsm->request;
    /* Cannot fail: the chain has len bytes. */
    nsm->request_len = virtqueue_read(chain, 0, nsm->request, len) ? len : 0;
    nsm->request_head = chain->head;
    nsm->has_request = true;
}

/* Writes the answer to the chain's writable part. False: a fault suppresses the answer. */
static bool answer(struct virtio_nsm *nsm, uint32_t *written)
{
    const struct virtqueue_chain *chain = &nsm->chain;
    struct bytes request = bytes_of(nsm->request, nsm->request_len);
    BUFFER_AUTO response = {.limit = chain->writable_len < NSM_ENGINE_RESPONSE_MAX
                                         ? (size_t)chain->writable_len
                                         : NSM_ENGINE_RESPONSE_MAX};
    nsm_engine_answer(nsm->engine, request, clock_wall_us() / 1000, &response);
    if (nsm_fault_hits(nsm->fault, request) && !nsm_fault_apply(nsm->fault, &response))
        return false;
    /* A fault may have made the answer longer than the room: it is cut. */
    size_t room = (size_t)chain->writable_len;
    struct bytes out = bytes_of(response.at, response.len < room ? response.len : room);
    *written = virtqueue_write(chain, 0, out) ? (uint32_t)out.len : 0;
    return true;
}

/* The chain that was just taken. */
static bool serve_chain(struct virtio_nsm *nsm, struct virtqueue *queue, struct error *err)
{
    uint16_t head = nsm->chain.head;
    if (nsm->chain.readable > 0) {
        if (nsm->has_request)
            return error_set(err, ERROR_FORMAT,
                             "nsm: a second request before the answer to the first");
        keep_request(nsm);
        if (nsm->chain.writable == 0)
            return true;
    }
    if (!nsm->has_request)
        return error_set(err, ERROR_FORMAT, "nsm: a buffer for an answer without a request");
    uint32_t written;
    nsm->has_request = false;
    if (!answer(nsm, &written))
        return true; /* nothing is given back: the driver waits until its own time limit */
    if (nsm->request_head != head)
        virtqueue_give(queue, nsm->request_head, 0);
    virtqueue_give(queue, head, written);
    return true;
}

/*
 * One chain for each call: an answer may need a signature, and other devices take turns between
 * two.
 */
static bool kicked(void *context, size_t index, struct error *err)
{
    struct virtio_nsm *nsm = context;
    struct virtqueue *queue = vhost_user_queue(&nsm->vhost, index);
    switch (virtqueue_take(queue, &nsm->chain, err)) {
    case VIRTQUEUE_EMPTY:
        return true;
    case VIRTQUEUE_BROKEN:
        return false;
    case VIRTQUEUE_CHAIN:
        break;
    }
    if (!serve_chain(nsm, queue, err))
        return false;
    vhost_user_call(&nsm->vhost, index);
    vhost_user_again(&nsm->vhost, index);
    return true;
}

/* A driver that restarts must not get the answer to an earlier request. */
static void stopped(void *context, size_t index)
{
    struct virtio_nsm *nsm = context;
    (void)index;
    nsm->has_request = false;
}

static void ended(void *context, const struct error *err)
{
    struct virtio_nsm *nsm = context;
    nsm->ended(nsm->context, err);
}

bool virtio_nsm_start(struct virtio_nsm *nsm, struct event_loop *loop, struct nsm_engine *engine,
                      const struct nsm_fault *fault, int fd, struct error *err)
{
    nsm->engine = engine;
    nsm->fault = fault;
    nsm->has_request = false;
    nsm->device = (struct vhost_device){.name = "nsm",
                                        .queue_count = 1,
                                        .context = nsm,
                                        .kicked = kicked,
                                        .stopped = stopped,
                                        .ended = ended};
    return vhost_user_start(&nsm->vhost, loop, &nsm->device, fd, err);
}

void virtio_nsm_stop(struct virtio_nsm *nsm)
{
    if (nsm->vhost.loop != NULL)
        vhost_user_stop(&nsm->vhost);
}
