/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reports to the service manager, as sd_notify(3) does, for units of Type=notify and
 * Type=notify-reload. Nothing happens if $NOTIFY_SOCKET is not set.
 */
#ifndef HOST_NOTIFY_H
#define HOST_NOTIFY_H

#include "base/error.h"

/* False if $NOTIFY_SOCKET is set to something that cannot be a socket: ERROR_CONFIG. */
MUST_USE bool notify_check(struct error *err);

/* Each sends one datagram. One that cannot be sent is lost: the manager has its own time limits. */
void notify_ready(const char *status); /* also after a reload; status is one line for people */
void notify_reloading(void);
void notify_stopping(void);

#endif
