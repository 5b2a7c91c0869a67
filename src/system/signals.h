/* SPDX-License-Identifier: Apache-2.0 */
/* Signals as a descriptor to wait for, in place of handlers. A list of signals ends with 0. */
#ifndef SYSTEM_SIGNALS_H
#define SYSTEM_SIGNALS_H

#include <signal.h>

#include "base/error.h"

/*
 * Blocks the signals. Returns a descriptor (close-on-exec, non-blocking) that is readable once one
 * of them has come, and then gives struct signalfd_siginfo. -1: ERROR_SYSTEM.
 */
MUST_USE int signals_open(const int *signals, struct error *err);

/* Closes the descriptor and unblocks the signals: they do again what they did before. */
void signals_close(int fd, const int *signals);

#endif
