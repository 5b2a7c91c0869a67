/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for a descriptor, bounded by a point in time and by a request to stop. */
#ifndef NET_DEADLINE_H
#define NET_DEADLINE_H

#include "base/error.h"

struct deadline {
    int64_t at_ms; /* clock_monotonic_ms; INT64_MAX: never */
    int stop_fd;   /* readable once the caller is to give up; -1: none */
};

struct deadline deadline_in(int64_t ms);

/* The later of nothing and what is left, for poll: 0..INT_MAX, or -1 for never. */
int deadline_poll_ms(const struct deadline *deadline);

/*
 * Waits until fd has one of events (poll's), an error or a hang-up. ERROR_DEADLINE, or
 * ERROR_SHUTTING_DOWN when stop_fd became readable. EINTR is survived.
 */
MUST_USE bool deadline_wait(const struct deadline *deadline, int fd, short events,
                            struct error *err);

#endif
