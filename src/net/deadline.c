/* SPDX-License-Identifier: Apache-2.0 */
#include "net/deadline.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "base/clock.h"

struct deadline deadline_in(int64_t ms)
{
    int64_t now = clock_monotonic_ms();
    return (struct deadline){.at_ms = ms > INT64_MAX - now ? INT64_MAX : now + ms, .stop_fd = -1};
}

int deadline_poll_ms(const struct deadline *deadline)
{
    if (deadline->at_ms == INT64_MAX)
        return -1;
    int64_t left = deadline->at_ms - clock_monotonic_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* A negative fd has no events, so only stop and the deadline end the wait. */
bool deadline_wait(const struct deadline *deadline, int fd, short events, struct error *err)
{
    struct pollfd fds[2] = {
        {.fd = fd, .events = events},
        {.fd = deadline->stop_fd, .events = POLLIN},
    };
    for (;;) {
        int left = deadline_poll_ms(deadline);
        int n = poll(fds, 2, left);
        if (n < 0 && errno != EINTR)
            return error_set_errno(err, ERROR_SYSTEM, "poll");
        if (n > 0 && fds[1].revents != 0)
            return error_set(err, ERROR_SHUTTING_DOWN, "stopped while waiting");
        if (n > 0 && fds[0].revents != 0)
            return true;
        if (n == 0 && deadline_poll_ms(deadline) == 0)
            return error_set(err, ERROR_DEADLINE, "no answer within the time limit");
    }
}
