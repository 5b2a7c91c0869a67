/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclaved as an image's /init: the first process prepares the system, starts the service as a
 * second one, collects whatever ends, and when that is the service says why and reboots, which ends
 * the enclave. Two processes, so that a crash of the service is reported and does not panic
 * the kernel.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "enclave/platform.h"
#include "init/heartbeat.h"
#include "init/prepare.h"

/* The parent learns that the enclave has started once the service takes connections. */
static bool tell_parent(struct address *listen, int fd, struct error *err)
{
    (void)listen;
    (void)fd;
    return heartbeat(err);
}

/* Nothing comes from the kernel's command line, to which others may append: all is in the image. */
static int serve(void)
{
    static const struct start_options options = {.config = CONFIG_FILE_DEFAULT};
    struct platform platform = enclaved_platform;
    platform.listening = tell_parent;
    return enclaved_run(&platform, &options);
}

/* Waits for the service, collecting orphans meanwhile, and says how it ended. */
static void watch(pid_t service)
{
    int status;
    for (;;) {
        pid_t ended = waitpid(-1, &status, 0);
        if (ended == service)
            break;
        if (ended < 0 && errno != EINTR) {
            log_error("the service is lost: %s", strerror(errno));
            return;
        }
    }
    if (WIFSIGNALED(status))
        log_error("enclaved was killed by signal %d", WTERMSIG(status));
    else
        log_error("enclaved exited with status %d", WEXITSTATUS(status));
}

static void run(void)
{
    struct error err = {0};
    if (clearenv() != 0 || !prepare_system(&err)) {
        log_error("%s", err.cause);
        return;
    }
    pid_t service = fork();
    if (service == 0)
        exit(serve());
    if (service < 0)
        log_error("enclaved cannot be started: %s", strerror(errno));
    else
        watch(service);
}

int main(void)
{
    if (getpid() != 1) {
        fputs("enclaved-init is the /init of an enclave image and runs as its first process only\n"
              "(enclavectl image build puts it there); elsewhere run enclaved\n",
              stderr);
        return 2;
    }
    log_start("init", LOG_INFO);
    run();
    log_info("rebooting");
    (void)reboot(RB_AUTOBOOT);
    return 1;
}
