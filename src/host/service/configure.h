/* SPDX-License-Identifier: Apache-2.0 */
/* What `configure` was asked for, and its --watch. */
#ifndef HOST_SERVICE_CONFIGURE_H
#define HOST_SERVICE_CONFIGURE_H

#include "host/client/delivery.h"
#include "host/common.h"

struct configure {
    struct common common;
    const char *profile; /* NULL: as the environment says */
    struct delivery delivery;
    bool watch;
    int64_t check_ms; /* --watch: how often the service is asked for its state */
};

/* Stays, renews, ends on SIGINT or SIGTERM; returns the exit code. */
int configure_watch(const struct configure *configure);

#endif
