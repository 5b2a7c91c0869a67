/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets/frame_io.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Memory is taken as bytes arrive, this many at a time: a length alone takes no memory. */
#define CHUNK (256u << 10)

static bool would_block(int number)
{
    return number == EAGAIN || number == EWOULDBLOCK;
}

bool frame_send(int fd, struct bytes content, const struct deadline *deadline, struct error *err)
{
    uint8_t header[FRAME_HEADER_SIZE];
    if (content.len > UINT32_MAX)
        return error_set(err, ERROR_FRAME_TOO_LARGE, "a frame holds at most 2^32 - 1 bytes");
    be32_store(header, (uint32_t)content.len);
    size_t sent = 0, total = sizeof header + content.len;
    while (sent < total) {
        struct bytes head = bytes_from(bytes_of(header, sizeof header), sent);
        struct bytes body =
            sent <= sizeof header ? content : bytes_from(content, sent - sizeof header);
        struct iovec parts[2] = {
            {.iov_base = (void *)(uintptr_t)head.at, .iov_len = head.len},
            {.iov_base = (void *)(uintptr_t)body.at, .iov_len = body.len},
        };
        struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
        ssize_t n = sendmsg(fd, &message, MSG_NOSIGNAL);
        if (n >= 0)
            sent += (size_t)n;
        else if (would_block(errno)) {
            if (!deadline_wait(deadline, fd, POLLOUT, err))
                return false;
        } else if (errno != EINTR)
            return error_set_errno(err, ERROR_NETWORK, "cannot send");
    }
    return true;
}

enum read_result { READ_SOME, READ_END, READ_FAILED };

/* Reads between 1 and len bytes. */
static enum read_result read_some(int fd, uint8_t *at, size_t len, size_t *got,
                                  const struct deadline *deadline, struct error *err)
{
    for (;;) {
        ssize_t n = recv(fd, at, len, 0);
        if (n > 0) {
            *got = (size_t)n;
            return READ_SOME;
        }
        if (n == 0)
            return READ_END;
        if (would_block(errno)) {
            if (!deadline_wait(deadline, fd, POLLIN, err))
                return READ_FAILED;
        } else if (errno != EINTR) {
            error_set_errno(err, ERROR_NETWORK, "cannot receive");
            return READ_FAILED;
        }
    }
}

static bool read_header(int fd, uint8_t header[FRAME_HEADER_SIZE], const struct deadline *deadline,
                        struct error *err)
{
    size_t have = 0, got;
    while (have < FRAME_HEADER_SIZE) {
        switch (read_some(fd, header + have, FRAME_HEADER_SIZE - have, &got, deadline, err)) {
        case READ_SOME:
            have += got;
            break;
        case READ_END:
            if (have == 0)
                return error_set(err, ERROR_CLOSED, "the other side closed the connection");
            return error_set(err, ERROR_FRAME_TRUNCATED, "the connection ended within a header");
        case READ_FAILED:
            return false;
        }
    }
    return true;
}

bool frame_receive(int fd, struct buffer *out, size_t limit, const struct deadline *deadline,
                   struct error *err)
{
    uint8_t header[FRAME_HEADER_SIZE];
    buffer_reset(out);
    if (!read_header(fd, header, deadline, err))
        return false;
    size_t len = be32_load(header);
    if (len > limit)
        return error_set(err, ERROR_FRAME_TOO_LARGE, "a frame of %zu bytes, the limit is %zu", len,
                         limit);
    while (out->len < len) {
        size_t want = len - out->len < CHUNK ? len - out->len : CHUNK, got;
        uint8_t *at = buffer_reserve(out, want);
        if (at == NULL)
            return error_set(err, ERROR_MEMORY, "no memory for a frame of %zu bytes", len);
        switch (read_some(fd, at, want, &got, deadline, err)) {
        case READ_SOME:
            buffer_commit(out, got);
            break;
        case READ_END:
            return error_set(err, ERROR_FRAME_TRUNCATED,
                             "the connection ended after %zu of %zu bytes", out->len, len);
        case READ_FAILED:
            return false;
        }
    }
    return true;
}
