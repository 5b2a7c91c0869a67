/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/device/vhost_message.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

/* Keeps the descriptors that came with a message; closes those that are too many. */
static bool take_descriptors(struct vhost_message *message, struct msghdr *header)
{
    bool all = (header->msg_flags & MSG_CTRUNC) == 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c != NULL; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (message->fd_count < ARRAY_LEN(message->fds)) {
                message->fds[message->fd_count++] = fd;
            } else {
                close(fd);
                all = false;
            }
        }
    }
    return all;
}

/* Reads at most want bytes, never a byte of the next message. *got 0: nothing has arrived. */
static bool receive(struct vhost_message *message, int fd, void *at, size_t want, size_t *got,
                    struct error *err)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof message->fds)];
    struct iovec piece = {.iov_base = at, .iov_len = want};
    struct msghdr header = {.msg_iov = &piece,
                            .msg_iovlen = 1,
                            .msg_control = control,
                            .msg_controllen = sizeof control};
    ssize_t n = recvmsg(fd, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    *got = 0;
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return true;
    if (n == 0 || (n < 0 && errno == ECONNRESET))
        return error_set(err, ERROR_CLOSED, "vhost-user: the front end closed the connection");
    if (n < 0)
        return error_set_errno(err, ERROR_SYSTEM, "vhost-user: recvmsg");
    *got = (size_t)n;
    return take_descriptors(message, &header) ||
           error_set(err, ERROR_FORMAT, "vhost-user: more than %zu descriptors with one message",
                     ARRAY_LEN(message->fds));
}

static bool read_header(struct vhost_message *message, const uint8_t at[VHOST_HEADER_SIZE],
                        struct error *err)
{
    memcpy(&message->request, at, 4);
    memcpy(&message->flags, at + 4, 4);
    memcpy(&message->size, at + 8, 4);
    if ((message->flags & 3) != VHOST_FLAG_VERSION)
        return error_set(err, ERROR_FORMAT, "vhost-user: version %u", message->flags & 3);
    if (message->size > VHOST_PAYLOAD_MAX)
        return error_set(err, ERROR_FORMAT, "vhost-user: request %u of %u bytes", message->request,
                         message->size);
    return true;
}

bool vhost_message_read(struct vhost_message *message, int fd, bool *whole, struct error *err)
{
    *whole = false;
    for (;;) {
        bool in_header = message->have < VHOST_HEADER_SIZE;
        size_t got, want = in_header ? VHOST_HEADER_SIZE - message->have
                                     : VHOST_HEADER_SIZE + message->size - message->have;
        if (want == 0) {
            *whole = true;
            return true;
        }
        /* The header arrives where the payload will be; it is parsed before the payload. */
        uint8_t *at = message->payload + message->have - (in_header ? 0 : VHOST_HEADER_SIZE);
        if (!receive(message, fd, at, want, &got, err))
            return false;
        if (got == 0)
            return true;
        message->have += got;
        if (message->have == VHOST_HEADER_SIZE && in_header &&
            !read_header(message, message->payload, err))
            return false;
    }
}

void vhost_message_clear(struct vhost_message *message)
{
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            close(message->fds[i]);
    message->fd_count = 0;
    message->have = 0;
}

bool vhost_message_reply(const struct vhost_message *message, int fd, struct bytes payload,
                         struct error *err)
{
    uint8_t out[VHOST_HEADER_SIZE + VHOST_PAYLOAD_MAX];
    uint32_t head[3] = {message->request, VHOST_FLAG_VERSION | VHOST_FLAG_REPLY,
                        (uint32_t)payload.len};
    if (payload.len > VHOST_PAYLOAD_MAX)
        return error_set(err, ERROR_INTERNAL, "vhost-user: a reply is too long");
    memcpy(out, head, sizeof head);
    if (payload.len > 0)
        memcpy(out + VHOST_HEADER_SIZE, payload.at, payload.len);
    size_t len = VHOST_HEADER_SIZE + payload.len;
    /* A front end waits for each reply before its next request, so the socket has room. */
    ssize_t sent = send(fd, out, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent == (ssize_t)len ||
           error_set_errno(err, ERROR_CLOSED, "vhost-user: the front end does not read its reply");
}

int vhost_message_take_fd(struct vhost_message *message)
{
    if (message->fd_count == 0)
        return -1;
    int fd = message->fds[0];
    message->fds[0] = -1;
    return fd;
}
