/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A guest that sends what it likes over vsock, and hosts that answer, read or leave as the input
 * says. What is kept must stay within its bounds, and every packet to the guest must be
 * well-formed.
 *
 * Each step is four bytes: what happens, the guest's port, the host's port or flags, a length.
 */
#include "fuzz/fuzz.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim/vsock/vsock.h"

#define GUEST 16
#define FARS  64

static int fars[FARS];
static unsigned far_count;

static void wake(void *context)
{
    (void)context;
}

static int open_pair(void *context)
{
    int pair[2];
    (void)context;
    errno = ECONNREFUSED;
    if (far_count == FARS || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0)
        return -1;
    fars[far_count++] = pair[1];
    return pair[0];
}

static void from_guest(struct vsock *vsock, const uint8_t *step)
{
    static const uint8_t payload[VSOCK_PAYLOAD_MAX];
    struct error err;
    struct vsock_packet packet = {.src_cid = GUEST,
                                  .dst_cid = step[0] & 0x40 ? 2 : VSOCK_PARENT_CID,
                                  .src_port = step[1] & 3,
                                  .dst_port = step[2] & 0x80 ? 49152u + (step[2] & 3)
                                                             : 8000u + (step[2] & 1),
                                  .type = step[0] & 0x20 ? 2 : VSOCK_TYPE_STREAM,
                                  .op = step[0] & 15,
                                  .flags = step[3],
                                  .buf_alloc = step[3] * 64u,
                                  .fwd_cnt = step[1] >> 2};
    if (packet.op == VSOCK_RW)
        packet.len = step[3] * 257u;
    FUZZ_CHECK(vsock_receive(vsock, &packet, bytes_of(payload, packet.len), &err));
}

static void from_host(struct vsock *vsock, const uint8_t *step)
{
    static uint8_t chunk[65536];
    int far = far_count > 0 ? fars[step[1] % far_count] : -1;
    switch (step[0] & 7) {
    case 0:
        (void)!send(far, chunk, step[3] * 64u, MSG_NOSIGNAL | MSG_DONTWAIT);
        break;
    case 1:
        (void)!recv(far, chunk, sizeof chunk, MSG_DONTWAIT);
        break;
    case 2:
        (void)shutdown(far, step[3] % 3);
        break;
    case 3:
        vsock_tick(vsock, clock_monotonic_ms() + step[3] * 256);
        break;
    default: {
        int fd = open_pair(NULL);
        if (fd >= 0)
            vsock_offer(vsock, fd, step[2] & 1 ? 7 : VSOCK_PARENT_CID, step[1] & 3);
    }
    }
}

static void to_guest(struct vsock *vsock, unsigned count)
{
    static uint8_t payload[VSOCK_PAYLOAD_MAX];
    struct vsock_packet packet;
    while (count-- > 0 && vsock_next(vsock, &packet, payload, 4000)) {
        FUZZ_CHECK(packet.dst_cid == GUEST || packet.type != VSOCK_TYPE_STREAM);
        FUZZ_CHECK(packet.op >= VSOCK_REQUEST && packet.op <= VSOCK_CREDIT_REQUEST);
        FUZZ_CHECK(packet.len <= 4000 && (packet.len > 0) == (packet.op == VSOCK_RW));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct vsock_target targets[] = {{.port = 8000, .open = open_pair}};
    struct event_loop loop;
    struct error err;
    struct vsock vsock = {
        .loop = &loop, .guest_cid = GUEST, .targets = targets, .target_count = 1, .wake = wake};
    FUZZ_CHECK(event_loop_init(&loop, &err));
    vsock_init(&vsock);
    far_count = 0;
    for (; size >= 4; data += 4, size -= 4) {
        if (data[0] & 0x80)
            from_host(&vsock, data);
        else
            from_guest(&vsock, data);
        FUZZ_CHECK(event_loop_turn(&loop, 0, &err));
        to_guest(&vsock, data[2] >> 4);
        FUZZ_CHECK(vsock.stream_count <= VSOCK_STREAMS_MAX &&
                   vsock.reset_count <= VSOCK_RESETS_MAX);
    }
    vsock_clear(&vsock);
    FUZZ_CHECK(vsock.stream_count == 0);
    for (unsigned i = 0; i < far_count; i++)
        close(fars[i]);
    event_loop_clear(&loop);
    return 0;
}
