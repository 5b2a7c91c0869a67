/* SPDX-License-Identifier: Apache-2.0 */
#include "system/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

static void fill(sigset_t *set, const int *signals)
{
    sigemptyset(set);
    for (; *signals != 0; signals++)
        sigaddset(set, *signals);
}

int signals_open(const int *signals, struct error *err)
{
    sigset_t set;
    fill(&set, signals);
    int fd = sigprocmask(SIG_BLOCK, &set, NULL) == 0
                 ? signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK)
                 : -1;
    if (fd < 0) {
        (void)error_set_errno(err, ERROR_SYSTEM, "cannot wait for signals");
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    return fd;
}

void signals_close(int fd, const int *signals)
{
    sigset_t set;
    fill(&set, signals);
    close(fd);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
}
