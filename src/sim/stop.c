/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/stop.h"

#include <signal.h>
#include <sys/signalfd.h>

int stop_signals(struct error *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        (void)error_set_errno(err, ERROR_SYSTEM, "signalfd");
    return fd;
}
