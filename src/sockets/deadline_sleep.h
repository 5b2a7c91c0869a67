/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting for time to pass, which enclaved never does. */
#ifndef SOCKETS_DEADLINE_SLEEP_H
#define SOCKETS_DEADLINE_SLEEP_H

#include "net/deadline.h"

/* Sleeps ms, or less if the deadline or stop comes first; false then. */
MUST_USE bool deadline_sleep(const struct deadline *deadline, int64_t ms, struct error *err);

#endif
