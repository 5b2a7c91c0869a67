/* SPDX-License-Identifier: Apache-2.0 */
/* The header of a vsock packet (virtio 1.2, section 5.10.6): 44 bytes, little-endian. */
#ifndef SIM_VSOCK_VSOCK_PACKET_H
#define SIM_VSOCK_VSOCK_PACKET_H

#include "base/bytes.h"

#define VSOCK_HEADER_SIZE 44
#define VSOCK_PAYLOAD_MAX 65536 /* Linux's largest packet */
#define VSOCK_TYPE_STREAM 1

enum vsock_op {
    VSOCK_INVALID = 0,
    VSOCK_REQUEST = 1,
    VSOCK_RESPONSE = 2,
    VSOCK_RST = 3,
    VSOCK_SHUTDOWN = 4,
    VSOCK_RW = 5,
    VSOCK_CREDIT_UPDATE = 6,
    VSOCK_CREDIT_REQUEST = 7,
};

/* Flags of VSOCK_SHUTDOWN: what the sender of the packet will no longer do. */
#define VSOCK_NO_RECEIVE 1u
#define VSOCK_NO_SEND    2u

struct vsock_packet {
    uint64_t src_cid;
    uint64_t dst_cid;
    uint32_t src_port;
    uint32_t dst_port;
    uint32_t len; /* of the payload */
    uint16_t type;
    uint16_t op;
    uint32_t flags;
    uint32_t buf_alloc; /* bytes: the size of the sender's receive buffer */
    uint32_t fwd_cnt;   /* bytes that it has taken out of that buffer so far, modulo 2³² */
};

void vsock_packet_load(struct vsock_packet *packet, const uint8_t at[VSOCK_HEADER_SIZE]);
void vsock_packet_store(uint8_t at[VSOCK_HEADER_SIZE], const struct vsock_packet *packet);

#endif
