/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between QEMU (the front end) and a device outside it (the back end): QEMU
 * docs/interop/vhost-user.rst. A header, a payload whose length the header gives and, with some
 * requests, descriptors. Integers are in the machine's byte order.
 */
#ifndef SIM_DEVICE_VHOST_MESSAGE_H
#define SIM_DEVICE_VHOST_MESSAGE_H

#include "base/error.h"
#include "sim/device/guest_memory.h"

enum vhost_request {
    VHOST_GET_FEATURES = 1,
    VHOST_SET_FEATURES = 2,
    VHOST_SET_OWNER = 3,
    VHOST_RESET_OWNER = 4,
    VHOST_SET_MEM_TABLE = 5,
    VHOST_SET_VRING_NUM = 8,
    VHOST_SET_VRING_ADDR = 9,
    VHOST_SET_VRING_BASE = 10,
    VHOST_GET_VRING_BASE = 11,
    VHOST_SET_VRING_KICK = 12,
    VHOST_SET_VRING_CALL = 13,
    VHOST_SET_VRING_ERR = 14,
    VHOST_GET_PROTOCOL_FEATURES = 15,
    VHOST_SET_PROTOCOL_FEATURES = 16,
    VHOST_GET_QUEUE_NUM = 17,
    VHOST_SET_VRING_ENABLE = 18,
    VHOST_GET_CONFIG = 24,
    VHOST_SET_CONFIG = 25,
};

#define VHOST_HEADER_SIZE  12
#define VHOST_PAYLOAD_MAX  512 /* longest that is accepted: a table of 8 regions has 264 bytes */
#define VHOST_CONFIG_MAX   256 /* bytes of configuration space, by the protocol */
#define VHOST_FLAG_VERSION 1u
#define VHOST_FLAG_REPLY   4u
#define VHOST_NEED_REPLY   8u

struct vhost_message {
    uint32_t request; /* enum vhost_request, or unknown */
    uint32_t flags;
    uint32_t size; /* of the payload: at most VHOST_PAYLOAD_MAX */
    _Alignas(8) uint8_t payload[VHOST_PAYLOAD_MAX];
    size_t have; /* bytes of header and payload that have arrived */
    size_t fd_count;
    int fds[GUEST_MEMORY_REGIONS_MAX]; /* -1 in place of one that was taken */
};

/*
 * Continues to read without waiting; *whole: the message is complete. It owns its descriptors.
 * ERROR_CLOSED at the end of the connection; ERROR_FORMAT: too long, too many descriptors, or
 * another version.
 */
MUST_USE bool vhost_message_read(struct vhost_message *message, int fd, bool *whole,
                                 struct error *err);

/* Closes the descriptors that were not taken, and prepares for the next message. */
void vhost_message_clear(struct vhost_message *message);

/* Answers a message; payload at most VHOST_PAYLOAD_MAX bytes. */
MUST_USE bool vhost_message_reply(const struct vhost_message *message, int fd, struct bytes payload,
                                  struct error *err);

/* Takes the message's only descriptor; -1: it has none. */
int vhost_message_take_fd(struct vhost_message *message);

#endif
