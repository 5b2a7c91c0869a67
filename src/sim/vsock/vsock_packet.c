/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vsock/vsock_packet.h"

static uint64_t load(const uint8_t *at, size_t size)
{
    uint64_t value = 0;
    for (size_t i = size; i > 0; i--)
        value = value << 8 | at[i - 1];
    return value;
}

static void store(uint8_t *at, size_t size, uint64_t value)
{
    for (size_t i = 0; i < size; i++, value >>= 8)
        at[i] = (uint8_t)value;
}

void vsock_packet_load(struct vsock_packet *packet, const uint8_t at[VSOCK_HEADER_SIZE])
{
    packet->src_cid = load(at, 8);
    packet->dst_cid = load(at + 8, 8);
    packet->src_port = (uint32_t)load(at + 16, 4);
    packet->dst_port = (uint32_t)load(at + 20, 4);
    packet->len = (uint32_t)load(at + 24, 4);
    packet->type = (uint16_t)load(at + 28, 2);
    packet->op = (uint16_t)load(at + 30, 2);
    packet->flags = (uint32_t)load(at + 32, 4);
    packet->buf_alloc = (uint32_t)load(at + 36, 4);
    packet->fwd_cnt = (uint32_t)load(at + 40, 4);
}

void vsock_packet_store(uint8_t at[VSOCK_HEADER_SIZE], const struct vsock_packet *packet)
{
    store(at, 8, packet->src_cid);
    store(at + 8, 8, packet->dst_cid);
    store(at + 16, 4, packet->src_port);
    store(at + 20, 4, packet->dst_port);
    store(at + 24, 4, packet->len);
    store(at + 28, 2, packet->type);
    store(at + 30, 2, packet->op);
    store(at + 32, 4, packet->flags);
    store(at + 36, 4, packet->buf_alloc);
    store(at + 40, 4, packet->fwd_cnt);
}
