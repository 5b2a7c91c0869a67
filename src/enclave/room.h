/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may hold how much memory, so that no client can take what others need. Each connection may
 * always hold ROOM_OWN_BYTES: a small request finds room, however much the others hold. What it
 * holds beyond is taken from limits.buffered_bytes, which all share. The number of connections is
 * bounded by what one of them can take at most, in the service and in the kernel.
 */
#ifndef ENCLAVE_ROOM_H
#define ENCLAVE_ROOM_H

#include "enclave/traffic.h"
#include "net/address.h"

#define ROOM_OWN_BYTES (16u << 10)

/*
 * What a connection can take at most of its own: ROOM_OWN_BYTES; what its socket holds unread,
 * whose packets are in a page each, however short, until the kernel (virtio_transport_inc_rx_pkt)
 * has counted 576 bytes for each of them; and the structures around it.
 */
#define ROOM_PACKETS          (ADDRESS_UNREAD_BYTES / 576)
#define ROOM_CONNECTION_BYTES (ROOM_OWN_BYTES + ROOM_PACKETS * (4096 + 256) + 4096)
/* The part of the memory that connections may take so: one in … */
#define ROOM_PART 5

/* The memory of this machine, bytes. */
uint64_t room_memory(void);
/* How many connections so much memory has room for; at least one. */
int64_t room_connections(uint64_t memory);

/* Brings the sum over all connections up to date with what c holds. */
void room_account(struct traffic *t, struct connection *c);
/* Whether c may hold so many bytes more. */
MUST_USE bool room_for(const struct traffic *t, const struct connection *c, size_t more);
/*
 * The same for input that is to be appended to what c has received, where all of it will be whole
 * bytes long: its buffer grows no further than that.
 */
MUST_USE bool room_for_input(const struct traffic *t, struct connection *c, size_t more,
                             size_t whole);

#endif
