/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each handler checks the length of the payload against the one shape that the protocol defines for
 * the request, and every number in it.
 */
#include "sim/device/vhost_requests.h"

#include "base/log.h"
#include "sim/device/vhost_queue.h"

#define FEATURE_VERSION_1         (UINT64_C(1) << 32)
#define FEATURE_PROTOCOL_FEATURES (UINT64_C(1) << 30)
#define PROTOCOL_MQ               (UINT64_C(1) << 0)
#define PROTOCOL_REPLY_ACK        (UINT64_C(1) << 3)
#define PROTOCOL_CONFIG           (UINT64_C(1) << 9)
#define NO_DESCRIPTOR             0x100u /* in the number that comes with a kick or call */

/* Payloads, as the protocol lays them out. */
struct ring_state {
    uint32_t index;
    uint32_t number;
};
struct ring_place {
    uint32_t index;
    uint32_t flags;
    uint64_t desc;
    uint64_t used;
    uint64_t avail;
    uint64_t log;
};
struct table_head {
    uint32_t count;
    uint32_t padding;
};
struct table_region {
    uint64_t guest;
    uint64_t size;
    uint64_t user;
    uint64_t offset;
};
struct config_head {
    uint32_t offset;
    uint32_t size;
    uint32_t flags;
};

static bool refuse(const struct vhost_user *vhost, const char *what, struct error *err)
{
    return error_set(err, ERROR_FORMAT, "vhost-user: request %u of %u bytes: %s",
                     vhost->message.request, vhost->message.size, what);
}

/* Copies a payload of exactly size bytes. */
static bool payload(const struct vhost_user *vhost, void *to, size_t size, struct error *err)
{
    if (vhost->message.size != size)
        return refuse(vhost, "its length is wrong", err);
    memcpy(to, vhost->message.payload, size);
    return true;
}

static bool reply(struct vhost_user *vhost, const void *at, size_t len, struct error *err)
{
    return vhost_message_reply(&vhost->message, vhost->connection.fd, bytes_of(at, len), err);
}

static bool reply_number(struct vhost_user *vhost, uint64_t number, struct error *err)
{
    return reply(vhost, &number, sizeof number, err);
}

static struct vhost_queue *queue_of(struct vhost_user *vhost, uint64_t index, struct error *err)
{
    if (index < vhost->device->queue_count)
        return &vhost->queues[index];
    (void)refuse(vhost, "no such queue", err);
    return NULL;
}

static bool get_features(struct vhost_user *vhost, struct error *err)
{
    return reply_number(
        vhost, vhost->device->features | FEATURE_VERSION_1 | FEATURE_PROTOCOL_FEATURES, err);
}

static bool set_features(struct vhost_user *vhost, struct error *err)
{
    uint64_t wanted;
    if (!payload(vhost, &wanted, sizeof wanted, err))
        return false;
    if ((wanted & ~(vhost->device->features | FEATURE_VERSION_1 | FEATURE_PROTOCOL_FEATURES)) != 0)
        return refuse(vhost, "features that were not offered", err);
    vhost->features = wanted;
    /* Without protocol features no request enables a queue: it is enabled from the start. */
    bool enabled = (wanted & FEATURE_PROTOCOL_FEATURES) == 0;
    for (size_t i = 0; enabled && i < vhost->device->queue_count; i++)
        vhost->queues[i].enabled = true;
    return true;
}

static uint64_t offered_protocol(const struct vhost_user *vhost)
{
    return PROTOCOL_MQ | PROTOCOL_REPLY_ACK | (vhost->device->config.len > 0 ? PROTOCOL_CONFIG : 0);
}

static bool get_protocol_features(struct vhost_user *vhost, struct error *err)
{
    return reply_number(vhost, offered_protocol(vhost), err);
}

static bool set_protocol_features(struct vhost_user *vhost, struct error *err)
{
    uint64_t wanted;
    if (!payload(vhost, &wanted, sizeof wanted, err))
        return false;
    if ((wanted & ~offered_protocol(vhost)) != 0)
        return refuse(vhost, "protocol features that were not offered", err);
    vhost->protocol_features = wanted;
    return true;
}

static bool get_queue_num(struct vhost_user *vhost, struct error *err)
{
    return reply_number(vhost, vhost->device->queue_count, err);
}

static bool nothing(struct vhost_user *vhost, struct error *err)
{
    (void)vhost;
    (void)err;
    return true;
}

static bool set_mem_table(struct vhost_user *vhost, struct error *err)
{
    struct table_head head;
    struct vhost_message *message = &vhost->message;
    if (message->size < sizeof head)
        return refuse(vhost, "too short", err);
    memcpy(&head, message->payload, sizeof head);
    if (head.count > GUEST_MEMORY_REGIONS_MAX || head.count != message->fd_count ||
        message->size < sizeof head + head.count * sizeof(struct table_region))
        return refuse(vhost, "its count differs from its regions or descriptors", err);
    guest_memory_clear(&vhost->memory);
    for (size_t i = 0; i < head.count; i++) {
        struct table_region in;
        memcpy(&in, message->payload + sizeof head + i * sizeof in, sizeof in);
        struct guest_region region = {.guest = in.guest, .user = in.user, .size = in.size};
        if (!guest_memory_add(&vhost->memory, region, in.offset, message->fds[i], err))
            return false;
    }
    return vhost_queues_move(vhost, err);
}

static bool set_vring_num(struct vhost_user *vhost, struct error *err)
{
    struct ring_state in;
    struct vhost_queue *q;
    if (!payload(vhost, &in, sizeof in, err) || (q = queue_of(vhost, in.index, err)) == NULL)
        return false;
    if (in.number == 0 || in.number > VIRTQUEUE_SIZE_MAX || virtqueue_started(&q->ring))
        return refuse(vhost, "a size out of range, or a queue that runs", err);
    q->size = (uint16_t)in.number;
    return true;
}

static bool set_vring_addr(struct vhost_user *vhost, struct error *err)
{
    struct ring_place in;
    struct vhost_queue *q;
    if (!payload(vhost, &in, sizeof in, err) || (q = queue_of(vhost, in.index, err)) == NULL)
        return false;
    if (virtqueue_started(&q->ring))
        return refuse(vhost, "a place for a queue that runs", err);
    q->place = (struct virtqueue_place){.desc = in.desc, .avail = in.avail, .used = in.used};
    q->placed = true;
    return vhost_queue_update(vhost, q, err);
}

static bool set_vring_base(struct vhost_user *vhost, struct error *err)
{
    struct ring_state in;
    struct vhost_queue *q;
    if (!payload(vhost, &in, sizeof in, err) || (q = queue_of(vhost, in.index, err)) == NULL)
        return false;
    if (in.number > UINT16_MAX || virtqueue_started(&q->ring))
        return refuse(vhost, "a base above 65535, or a queue that runs", err);
    q->next = (uint16_t)in.number;
    return true;
}

/* A front end stops a queue by asking for its base. */
static bool get_vring_base(struct vhost_user *vhost, struct error *err)
{
    struct ring_state in;
    struct vhost_queue *q;
    if (!payload(vhost, &in, sizeof in, err) || (q = queue_of(vhost, in.index, err)) == NULL)
        return false;
    vhost_queue_stop(vhost, q);
    struct ring_state out = {.index = in.index, .number = q->next};
    return reply(vhost, &out, sizeof out, err);
}

/* The queue that a kick, call or error descriptor is for; NULL on failure. */
static struct vhost_queue *queue_of_descriptor(struct vhost_user *vhost, struct error *err)
{
    uint64_t in;
    if (!payload(vhost, &in, sizeof in, err))
        return NULL;
    struct vhost_queue *q = queue_of(vhost, in & 0xff, err);
    if (q != NULL && (in >> 9 != 0 || vhost->message.fd_count != ((in & NO_DESCRIPTOR) == 0))) {
        (void)refuse(vhost, "it does not have the descriptor that it announces", err);
        return NULL;
    }
    return q;
}

static bool set_vring_kick(struct vhost_user *vhost, struct error *err)
{
    struct vhost_queue *q = queue_of_descriptor(vhost, err);
    if (q == NULL)
        return false;
    int fd = vhost_message_take_fd(&vhost->message);
    if (fd < 0)
        return refuse(vhost, "a queue without a kick would need polling", err);
    return vhost_queue_set_kick(vhost, q, fd, err) && vhost_queue_update(vhost, q, err);
}

static bool set_vring_call(struct vhost_user *vhost, struct error *err)
{
    struct vhost_queue *q = queue_of_descriptor(vhost, err);
    if (q != NULL)
        vhost_queue_set_call(q, vhost_message_take_fd(&vhost->message));
    return q != NULL;
}

static bool set_vring_err(struct vhost_user *vhost, struct error *err)
{
    /* An error ends the connection, so there is nothing to signal. */
    return queue_of_descriptor(vhost, err) != NULL;
}

static bool set_vring_enable(struct vhost_user *vhost, struct error *err)
{
    struct ring_state in;
    struct vhost_queue *q;
    if (!payload(vhost, &in, sizeof in, err) || (q = queue_of(vhost, in.index, err)) == NULL)
        return false;
    q->enabled = in.number != 0;
    return vhost_queue_update(vhost, q, err);
}

static bool get_config(struct vhost_user *vhost, struct error *err)
{
    struct config_head head;
    struct vhost_message *message = &vhost->message;
    if (message->size < sizeof head)
        return refuse(vhost, "too short", err);
    memcpy(&head, message->payload, sizeof head);
    struct bytes config = vhost->device->config;
    /* A back end refuses with an empty payload. */
    if (head.size > VHOST_CONFIG_MAX || message->size != sizeof head + head.size ||
        head.size > config.len || head.offset > config.len - head.size)
        return reply(vhost, NULL, 0, err);
    uint8_t out[sizeof head + VHOST_CONFIG_MAX];
    memcpy(out, &head, sizeof head);
    memcpy(out + sizeof head, config.at + head.offset, head.size);
    return reply(vhost, out, sizeof head + head.size, err);
}

/* REPLY_ACK reports whether serve succeeded, unless the request has a reply of its own. */
static const struct {
    enum vhost_request request;
    bool replies;
    bool (*serve)(struct vhost_user *vhost, struct error *err);
} requests[] = {
    {VHOST_GET_FEATURES, true, get_features},
    {VHOST_SET_FEATURES, false, set_features},
    {VHOST_SET_OWNER, false, nothing},
    {VHOST_RESET_OWNER, false, nothing},
    {VHOST_SET_MEM_TABLE, false, set_mem_table},
    {VHOST_SET_VRING_NUM, false, set_vring_num},
    {VHOST_SET_VRING_ADDR, false, set_vring_addr},
    {VHOST_SET_VRING_BASE, false, set_vring_base},
    {VHOST_GET_VRING_BASE, true, get_vring_base},
    {VHOST_SET_VRING_KICK, false, set_vring_kick},
    {VHOST_SET_VRING_CALL, false, set_vring_call},
    {VHOST_SET_VRING_ERR, false, set_vring_err},
    {VHOST_GET_PROTOCOL_FEATURES, true, get_protocol_features},
    {VHOST_SET_PROTOCOL_FEATURES, false, set_protocol_features},
    {VHOST_GET_QUEUE_NUM, true, get_queue_num},
    {VHOST_SET_VRING_ENABLE, false, set_vring_enable},
    {VHOST_GET_CONFIG, true, get_config},
};

bool vhost_user_serve(struct vhost_user *vhost, struct error *err)
{
    bool wants_reply = (vhost->message.flags & VHOST_NEED_REPLY) != 0 &&
                       (vhost->protocol_features & PROTOCOL_REPLY_ACK) != 0;
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (vhost->message.request != requests[i].request)
            continue;
        bool ok = requests[i].serve(vhost, err);
        if (!wants_reply || requests[i].replies || !vhost->is_open)
            return ok;
        return reply_number(vhost, ok ? 0 : 1, err) && ok;
    }
    /* Among them SET_CONFIG: the guest must not write the configuration space. */
    log_info("vhost-user: %s: request %u is not served", vhost->device->name,
             vhost->message.request);
    return !wants_reply || reply_number(vhost, 1, err);
}
