/* SPDX-License-Identifier: Apache-2.0 */
#include "host/relay_status.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "host/resolve.h"

static bool receive(const char *where, int64_t timeout_ms, struct buffer *out, struct error *err)
{
    struct address address;
    struct deadline deadline = deadline_in(timeout_ms);
    int fd = -1;
    bool ok =
        address_resolve(&address, where, err) && address_connect(&address, &deadline, &fd, err);
    for (bool more = ok; more;) {
        uint8_t *at = buffer_reserve(out, 4096);
        ssize_t n = -1;
        ok = at != NULL ? deadline_wait(&deadline, fd, POLLIN, err)
                        : error_set(err, ERROR_FORMAT, "the answer is too long for a status");
        if (ok && (n = recv(fd, at, 4096, 0)) < 0 && errno != EAGAIN && errno != EINTR)
            ok = error_set_errno(err, ERROR_NETWORK, "cannot read from %s", address.text);
        if (n > 0)
            buffer_commit(out, (size_t)n);
        more = ok && n != 0;
    }
    if (fd >= 0)
        close(fd);
    return ok;
}

static bool check_shape(const struct json *doc, struct error *err)
{
    json_value routes =
        json_type(doc, 0) == JSON_OBJECT ? json_member(doc, 0, "routes") : JSON_NONE;
    if (routes != JSON_NONE && json_type(doc, routes) == JSON_ARRAY)
        return true;
    return error_set(err, ERROR_FORMAT, "the answer is not the status of a relay");
}

bool relay_status_read(const char *where, int64_t timeout_ms, struct buffer *text, struct json *doc,
                       struct error *err)
{
    if (!receive(where, timeout_ms, text, err))
        return false;
    if (!json_parse(doc, buffer_bytes(text), err))
        return error_set(err, ERROR_FORMAT, "the answer is not JSON");
    return check_shape(doc, err);
}
