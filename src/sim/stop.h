/* SPDX-License-Identifier: Apache-2.0 */
/* The wish to stop, as a descriptor to wait for. */
#ifndef SIM_STOP_H
#define SIM_STOP_H

#include "base/error.h"

/* Readable once SIGINT or SIGTERM has come, which are blocked from now on. -1 and *err on failure.
 */
MUST_USE int stop_signals(struct error *err);

#endif
