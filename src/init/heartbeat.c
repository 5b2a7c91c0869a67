/* SPDX-License-Identifier: Apache-2.0 */
#include "init/heartbeat.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "net/address.h"

#define PARENT       "vsock:3:9000"
#define BEAT         0xB7
#define HEARTBEAT_MS 10000

bool heartbeat_exchange(int fd, const struct deadline *deadline, struct error *err)
{
    uint8_t beat = BEAT;
    /* A new connection has room for one byte. */
    if (send(fd, &beat, 1, MSG_NOSIGNAL) != 1)
        return error_set_errno(err, ERROR_NETWORK, "heartbeat: cannot send to the parent");
    ssize_t got;
    do {
        if (!deadline_wait(deadline, fd, POLLIN, err))
            return false;
        got = recv(fd, &beat, 1, 0);
    } while (got < 0 && (errno == EINTR || errno == EAGAIN));
    if (got < 0)
        return error_set_errno(err, ERROR_NETWORK, "heartbeat: no answer from the parent");
    if (got == 0)
        return error_set(err, ERROR_CLOSED, "heartbeat: the parent closed without an answer");
    return beat == BEAT ||
           error_set(err, ERROR_FORMAT, "heartbeat: the parent answered 0x%02x, not 0x%02x", beat,
                     BEAT);
}

bool heartbeat(struct error *err)
{
    const struct deadline deadline = deadline_in(HEARTBEAT_MS);
    struct address parent;
    int fd;
    if (!address_parse(&parent, PARENT, err) || !address_connect(&parent, &deadline, &fd, err))
        return false;
    bool beaten = heartbeat_exchange(fd, &deadline, err);
    close(fd);
    return beaten;
}
