/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vsock/vsock.h"

#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "sim/vsock/vsock_internal.h"

#define LOGGED_MAX 32    /* lines about the guest */
#define FIRST_PORT 49152 /* of the parent's side of connections to the guest */

void vsock_init(struct vsock *vsock)
{
    LIST_INIT(&vsock->all);
    TAILQ_INIT(&vsock->turns);
    for (size_t i = 0; i < VSOCK_BUCKETS; i++)
        LIST_INIT(&vsock->buckets[i]);
    vsock->stream_count = 0;
    vsock->reset_first = vsock->reset_count = 0;
    vsock->next_port = FIRST_PORT;
    vsock->logged = 0;
}

void vsock_clear(struct vsock *vsock)
{
    for (struct vsock_stream *s = LIST_FIRST(&vsock->all), *next; s != NULL; s = next) {
        next = LIST_NEXT(s, in_all);
        vsock_stream_free(s);
    }
}

bool vsock_may_log(struct vsock *vsock)
{
    if (vsock->logged > LOGGED_MAX)
        return false;
    if (vsock->logged++ < LOGGED_MAX)
        return true;
    log_warning("vsock: what the guest does is no longer logged");
    return false;
}

static struct vsock_streams *bucket_of(struct vsock *vsock, uint32_t host_port, uint32_t guest_port)
{
    uint32_t mixed = (host_port * 2654435761u) ^ (guest_port * 2246822519u);
    return &vsock->buckets[(mixed >> 16) % VSOCK_BUCKETS];
}

static struct vsock_stream *find(struct vsock *vsock, uint64_t cid, uint32_t host_port,
                                 uint32_t guest_port)
{
    struct vsock_stream *s;
    LIST_FOREACH(s, bucket_of(vsock, host_port, guest_port), in_bucket)
    {
        if (s->cid == cid && s->host_port == host_port && s->guest_port == guest_port)
            return s;
    }
    return NULL;
}

/* A stream in the table, which owns fd (-1: none yet). NULL, with fd closed: no memory, or too
 * many. */
static struct vsock_stream *new_stream(struct vsock *vsock, int fd, uint64_t cid,
                                       uint32_t host_port, uint32_t guest_port)
{
    struct vsock_stream *s = vsock->stream_count < VSOCK_STREAMS_MAX ? calloc(1, sizeof *s) : NULL;
    if (s == NULL) {
        if (vsock_may_log(vsock))
            log_warning("vsock: no memory, or more than %d connections at a time",
                        VSOCK_STREAMS_MAX);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    *s = (struct vsock_stream){.host = {.fd = fd, .ready = vsock_stream_ready},
                               .vsock = vsock,
                               .has_bucket = true,
                               .cid = cid,
                               .host_port = host_port,
                               .guest_port = guest_port,
                               .deadline_ms = clock_monotonic_ms() + VSOCK_CONNECT_MS};
    LIST_INSERT_HEAD(&vsock->all, s, in_all);
    LIST_INSERT_HEAD(bucket_of(vsock, host_port, guest_port), s, in_bucket);
    vsock->stream_count++;
    return s;
}

void vsock_stream_leave_table(struct vsock_stream *s)
{
    if (s->has_bucket)
        LIST_REMOVE(s, in_bucket);
    if (s->has_turn)
        TAILQ_REMOVE(&s->vsock->turns, s, in_turns);
    s->has_bucket = s->has_turn = false;
}

void vsock_stream_free(struct vsock_stream *s)
{
    vsock_stream_leave_table(s);
    LIST_REMOVE(s, in_all);
    s->vsock->stream_count--;
    vsock_stream_close_host(s);
    free(s->window);
    free(s);
}

static void put_reset(struct vsock *vsock, const struct vsock_packet *reset)
{
    if (vsock->reset_count == VSOCK_RESETS_MAX) {
        /* Only for a guest that takes no packets; its own time limit will end its connections. */
        if (vsock_may_log(vsock))
            log_warning("vsock: the guest does not take its packets: a reset is dropped");
        return;
    }
    size_t at = (vsock->reset_first + vsock->reset_count++) % VSOCK_RESETS_MAX;
    vsock->resets[at] = *reset;
    vsock->wake(vsock->context);
}

void vsock_reset_to(struct vsock *vsock, uint64_t cid, uint32_t host_port, uint32_t guest_port)
{
    struct vsock_packet reset = {.src_cid = cid,
                                 .dst_cid = vsock->guest_cid,
                                 .src_port = host_port,
                                 .dst_port = guest_port,
                                 .type = VSOCK_TYPE_STREAM,
                                 .op = VSOCK_RST};
    put_reset(vsock, &reset);
}

void vsock_stream_reset(struct vsock_stream *s)
{
    vsock_reset_to(s->vsock, s->cid, s->host_port, s->guest_port);
    vsock_stream_free(s);
}

void vsock_offer(struct vsock *vsock, int fd, uint64_t cid, uint32_t port)
{
    uint32_t own;
    do { /* ends, as there are fewer streams than ports */
        own = vsock->next_port++;
        if (vsock->next_port == UINT32_MAX)
            vsock->next_port = FIRST_PORT;
    } while (find(vsock, cid, own, port) != NULL);
    struct vsock_stream *s = new_stream(vsock, fd, cid, own, port);
    if (s == NULL)
        return;
    s->state = VSOCK_CONNECTING_GUEST;
    s->owed = OWED_REQUEST;
    vsock_stream_want(s);
    /* Last: it may free s. */
    if (!event_add(vsock->loop, &s->host, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, NULL))
        vsock_stream_free(s);
}

static const struct vsock_target *target_of(const struct vsock *vsock, uint32_t port)
{
    for (size_t i = 0; i < vsock->target_count; i++)
        if (vsock->targets[i].port == port)
            return &vsock->targets[i];
    return NULL;
}

/* The answer has the packet's own type: the guest looks its socket up by it. */
static void refuse(struct vsock *vsock, const struct vsock_packet *packet)
{
    struct vsock_packet reset = {.src_cid = packet->dst_cid,
                                 .dst_cid = packet->src_cid,
                                 .src_port = packet->dst_port,
                                 .dst_port = packet->src_port,
                                 .type = packet->type,
                                 .op = VSOCK_RST};
    put_reset(vsock, &reset);
}

static void receive_request(struct vsock *vsock, const struct vsock_packet *packet)
{
    const struct vsock_target *target = target_of(vsock, packet->dst_port);
    struct vsock_stream *s = NULL;
    if (packet->dst_cid != VSOCK_PARENT_CID || target == NULL) {
        if (vsock_may_log(vsock))
            log_info("vsock: the guest connects to %" PRIu64 ":%u, where nobody listens",
                     packet->dst_cid, packet->dst_port);
    } else {
        s = new_stream(vsock, -1, packet->dst_cid, packet->dst_port, packet->src_port);
    }
    if (s == NULL) {
        refuse(vsock, packet);
        return;
    }
    s->target = target;
    s->guest_alloc = packet->buf_alloc;
    s->guest_forwarded = packet->fwd_cnt;
    vsock_stream_connect(s);
}

bool vsock_receive(struct vsock *vsock, const struct vsock_packet *packet, struct bytes payload,
                   struct error *err)
{
    if (packet->src_cid != vsock->guest_cid)
        return error_set(err, ERROR_FORMAT,
                         "vsock: a packet from CID %" PRIu64 " in place of %" PRIu64,
                         packet->src_cid, vsock->guest_cid);
    if (payload.len > 0 && packet->op != VSOCK_RW)
        return error_set(err, ERROR_FORMAT, "vsock: %zu bytes of payload with operation %u",
                         payload.len, packet->op);
    struct vsock_stream *s = NULL;
    if (packet->type == VSOCK_TYPE_STREAM)
        s = find(vsock, packet->dst_cid, packet->dst_port, packet->src_port);
    if (s != NULL)
        vsock_stream_receive(s, packet, payload);
    else if (packet->op == VSOCK_REQUEST && packet->type == VSOCK_TYPE_STREAM)
        receive_request(vsock, packet);
    else if (packet->op != VSOCK_RST)
        refuse(vsock, packet);
    return true;
}

bool vsock_next(struct vsock *vsock, struct vsock_packet *packet, uint8_t *payload, size_t room)
{
    for (;;) {
        if (vsock->reset_count > 0) {
            *packet = vsock->resets[vsock->reset_first];
            vsock->reset_first = (vsock->reset_first + 1) % VSOCK_RESETS_MAX;
            vsock->reset_count--;
            return true;
        }
        struct vsock_stream *s = TAILQ_FIRST(&vsock->turns);
        if (s == NULL)
            return false;
        TAILQ_REMOVE(&vsock->turns, s, in_turns);
        s->has_turn = false;
        if (vsock_stream_next(s, packet, payload, room))
            return true;
    }
}

void vsock_tick(struct vsock *vsock, int64_t now_ms)
{
    struct vsock_stream *next;
    for (struct vsock_stream *s = LIST_FIRST(&vsock->all); s != NULL; s = next) {
        next = LIST_NEXT(s, in_all);
        vsock_stream_tick(s, now_ms);
    }
}
