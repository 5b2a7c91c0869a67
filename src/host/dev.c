/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl dev: enclaved on this machine, with simulated NSM and KMS. */
#include "host/dev.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/json_writer.h"
#include "host/command.h"
#include "host/configure.h"
#include "host/file.h"
#include "host/report.h"
#include "net/address.h"

#define RETRY_MS 5000 /* after a renewal that failed */

static const struct option_spec options[] = {
    {"listen", "ADDRESS", "where enclaved-dev shall listen (default tcp:127.0.0.1:0: any port)"},
    {"tsk-file", "FILE", "wrap this session key, 64 hex digits (default: one that nobody sees)"},
    {"dir", "DIR", "keep keys, policy, wrapped TSK and logs in DIR, and use them again"},
    {"credential-seconds", "N", "how long the session's credentials last (default 3600)"},
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct command_help help = {
    .name = "dev",
    .synopsis = "[--listen ADDRESS] [--tsk-file FILE] [--dir DIR]",
    .about =
        "Starts a simulated NSM and KMS, creates a key whose policy demands the measurement of\n"
        "this enclaved-dev and its configuration, wraps a session key under it, starts and\n"
        "configures enclaved-dev, and prints \"ready ADDRESS\". Runs until SIGINT or SIGTERM and\n"
        "leaves nothing behind but what --dir keeps.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "  enclavectl dev\n"
                "  enclavectl dev --listen tcp:127.0.0.1:5000 --dir ~/.enclaved-dev\n"
                "  enclavectl dev --listen unix:/tmp/enclaved.sock --tsk-file tsk.hex\n",
};

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct dev *dev = context;
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
    if (strcmp(name, "credential-seconds") == 0)
        return options_integer("--credential-seconds", value, 2, OPTIONS_SECONDS_MAX,
                               &dev->credential_seconds, err);
    if (strcmp(name, "listen") == 0)
        dev->listen = value;
    else if (strcmp(name, "tsk-file") == 0)
        dev->tsk_file = value;
    else
        dev->dir = value;
    return true;
}

static int tell_ready(const struct dev *dev)
{
    BUFFER_AUTO out;
    buffer_init(&out, 65536);
    if (dev->common.json) {
        struct json_writer w = json_writer(&out);
        json_object(&w, NULL);
        json_text(&w, "status", "success");
        json_text(&w, "ready", dev->address);
        json_text(&w, "kms_key", dev->key_arn);
        json_text(&w, "pcr0", dev->pcr0);
        json_text(&w, "kms", dev->relay);
        json_text(&w, "dir", dev->state);
        json_end(&w);
        buffer_byte(&out, '\n');
    } else {
        buffer_printf(&out, "ready %s\n", dev->address);
    }
    report_note("simulated NSM and KMS: for development only, nothing here is kept from this "
                "machine");
    report_note("PCR0 %s", dev->pcr0);
    report_note("key %s, logs and policy in %s", dev->key_arn, dev->state);
    report_note("try: enclavectl pipeline --to %s --payload '{\"hello\": \"world\"}'",
                dev->address);
    return report_print(&dev->common, buffer_bytes(&out));
}

/* As --watch does: five minutes before the end, or at half of a short life. */
static int64_t renew_at_us(const struct dev *dev)
{
    int64_t life =
        dev->credential_seconds > 600 ? dev->credential_seconds - 300 : dev->credential_seconds / 2;
    return clock_wall_us() + life * 1000000;
}

static int tell_death(struct dev *dev, struct child *child)
{
    struct error err;
    char log[64], line[400], how[64];
    snprintf(log, sizeof log, "%s.log", child->name);
    dev_last_line(dev, log, line);
    child_describe(child, how, sizeof how);
    error_set(&err, ERROR_SYSTEM, "%s %s; its log ends: %s", child->name, how,
              line[0] != '\0' ? line : "(empty)");
    (void)report_failure_with(&dev->common, &err, dev->dir != NULL ? NULL : "keep logs with --dir");
    return EXIT_REFUSED;
}

/* Until a signal (EXIT_OK) or the end of a child. */
static int wait_and_renew(struct dev *dev, struct pollfd fds[4])
{
    struct child *const children[] = {&dev->nsm, &dev->kms, &dev->enclaved};
    int64_t renew_us = renew_at_us(dev);
    for (;;) {
        int64_t rest = (renew_us - clock_wall_us()) / 1000;
        rest = rest < 0 ? 0 : rest > INT_MAX ? INT_MAX : rest;
        int ready = poll(fds, 4, (int)rest);
        if (ready < 0 && errno != EINTR)
            return EXIT_LOCAL;
        if (ready > 0 && fds[3].revents != 0)
            return EXIT_OK;
        for (size_t i = 0; i < ARRAY_LEN(children); i++)
            if (child_ended(children[i]))
                return tell_death(dev, children[i]);
        if (clock_wall_us() < renew_us)
            continue;
        struct error err = {0};
        if (dev_renew(dev, &err)) {
            renew_us = renew_at_us(dev);
            report_note("session credentials renewed");
        } else if (err.code != ERROR_SHUTTING_DOWN) {
            (void)report_failure(&dev->common, &err);
            renew_us = clock_wall_us() + INT64_C(1000) * RETRY_MS;
        }
    }
}

/* Not glibc's own, which came with 2.36: enclavectl runs on Amazon Linux 2023, which has 2.34. */
static int watch(pid_t pid)
{
    return (int)syscall(SYS_pidfd_open, pid, 0u);
}

static int serve(struct dev *dev)
{
    struct pollfd fds[4] = {
        {.fd = watch(dev->nsm.pid), .events = POLLIN},
        {.fd = watch(dev->kms.pid), .events = POLLIN},
        {.fd = watch(dev->enclaved.pid), .events = POLLIN},
        {.fd = dev->stop_fd, .events = POLLIN},
    };
    int code = EXIT_LOCAL;
    if (fds[0].fd >= 0 && fds[1].fd >= 0 && fds[2].fd >= 0) {
        code = wait_and_renew(dev, fds);
    } else {
        struct error err;
        error_set_errno(&err, ERROR_SYSTEM, "the children cannot be watched");
        code = report_failure(&dev->common, &err);
    }
    for (size_t i = 0; i < 3; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    return code;
}

static int run(struct dev *dev)
{
    struct error err = {0};
    if (!dev_start(dev, &err))
        return err.code == ERROR_SHUTTING_DOWN ? EXIT_OK : report_failure(&dev->common, &err);
    int code = tell_ready(dev);
    return code == EXIT_OK ? serve(dev) : code;
}

int command_dev(int argc, char **argv)
{
    struct dev dev = {
        .common.timeout_ms = CONFIGURE_TIMEOUT_MS,
        .listen = "tcp:127.0.0.1:0",
        .credential_seconds = 3600,
        .state_fd = -1,
        .nsm.out = -1,
        .kms.out = -1,
        .enclaved.out = -1,
    };
    int ended = options_parse(&help, argc, argv, &dev.common, take, &dev);
    if (ended != OPTIONS_GO_ON)
        return ended;
    struct address listen;
    struct error wrong;
    if (!address_parse(&listen, dev.listen, &wrong))
        return report_failure(&dev.common, &wrong);
    sigset_t ends;
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigaddset(&ends, SIGHUP);
    dev.stop_fd = sigprocmask(SIG_BLOCK, &ends, NULL) == 0
                      ? signalfd(-1, &ends, SFD_CLOEXEC | SFD_NONBLOCK)
                      : -1;
    if (dev.stop_fd < 0) {
        struct error err;
        error_set_errno(&err, ERROR_SYSTEM, "signals cannot be awaited");
        return report_failure(&dev.common, &err);
    }
    credentials_init(&dev.admin);
    credentials_init(&dev.session);
    credentials_init(&dev.previous);
    int code = run(&dev);
    dev_stop(&dev);
    if (dev.run[0] != '\0')
        file_remove_tree(dev.run);
    credentials_clear(&dev.admin);
    credentials_clear(&dev.session);
    credentials_clear(&dev.previous);
    if (dev.state_fd >= 0)
        close(dev.state_fd);
    close(dev.stop_fd);
    return code;
}
