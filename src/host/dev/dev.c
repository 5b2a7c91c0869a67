/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl dev: enclaved on this machine, with simulated NSM and KMS. */
#include "host/dev/dev.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "codec/json_writer.h"
#include "host/client/delivery.h"
#include "host/command.h"
#include "host/report.h"
#include "sockets/any_address.h"
#include "system/file.h"
#include "system/signals.h"

#define RETRY_MS    5000 /* after a renewal that failed */
#define DEV_WATCHED 5    /* four children and the signals */

static bool check_listen(const char *option, const char *text, struct error *err)
{
    struct address listen;
    (void)option;
    return any_address_parse(&listen, text, err);
}

static const struct cli_option options[] = {
    CLI_TEXT("listen", "ADDRESS", struct dev, listen,
             "where enclaved-dev listens (default tcp:127.0.0.1:0: any port)",
             .check = check_listen),
    CLI_TEXT("tsk-file", "FILE", struct dev, tsk_file,
             "wrap this session key, 64 hex digits (default: one that nobody sees)"),
    CLI_TEXT("state", "DIR", struct dev, dir,
             "keep keys, policy, wrapped TSK and logs in DIR, and use them again", .old = "dir"),
    CLI_INTEGER("credential-seconds", "SECONDS", struct dev, credential_seconds, 2, SECONDS_MAX,
                "how long the session's credentials last (default 3600)"),
    CLI_TEXT("kernel", "FILE", struct dev, kernel,
             "build an image of this kernel and boot it in a virtual machine"),
    CLI_TEXT("kernel-lock", "FILE", struct dev, kernel_lock,
             "JSON that says where the kernel comes from, for the image's metadata"),
    CLI_TEXT("memory", "MIB", struct dev, memory, "memory of the virtual machine"),
    CLI_TEXT("cpus", "N", struct dev, cpus, "CPUs of the virtual machine"),
    CLI_FLAG("debug-mode", struct dev, debug_mode,
             "boot in debug mode: console in the log, registers zero"),
    CLI_TEXT("boot", "FILE", struct dev, boot, "boot this image instead, whatever the policy says"),
    CLI_FLAG("image-only", struct dev, image_only, "end once the image is built"),
    OPTION_TIMEOUT(struct dev),
    OPTION_JSON(struct dev),
};

/* Some options only make sense with a virtual machine. */
static bool check(void *given, struct error *err)
{
    struct dev *dev = given;
    bool ran = dev->memory != NULL || dev->cpus != NULL || dev->debug_mode || dev->boot != NULL ||
               dev->listen != NULL || dev->credential_seconds != 0;
    if (dev->image_only && ran)
        return error_set(err, ERROR_USAGE,
                         "with --image-only nothing runs: leave --listen, --credential-seconds, "
                         "--memory, --cpus, --debug-mode and --boot out");
    dev->listen = dev->listen != NULL ? dev->listen : "tcp:127.0.0.1:0";
    dev->credential_seconds = dev->credential_seconds != 0 ? dev->credential_seconds : 3600;
    if (dev->kernel != NULL)
        return !dev->image_only || dev->dir != NULL ||
               error_set(err, ERROR_USAGE, "--image-only goes with --state, where the image stays");
    if (dev->kernel_lock == NULL && dev->memory == NULL && dev->cpus == NULL && dev->boot == NULL &&
        !dev->debug_mode && !dev->image_only)
        return true;
    return error_set(
        err, ERROR_USAGE,
        "--kernel-lock, --memory, --cpus, --debug-mode, --boot and --image-only need --kernel");
}

static int report_ready(const struct dev *dev)
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
    report_note("simulated NSM and KMS: for development only; this machine can read every secret");
    report_note("PCR0 %s", dev->pcr0);
    report_note("key %s, logs and policy in %s", dev->key_arn, dev->state);
    report_note("try: enclavectl pipeline --to %s --payload '{\"hello\": \"world\"}'",
                dev->address);
    return report_print(&dev->common, buffer_bytes(&out));
}

static int report_image(const struct dev *dev)
{
    BUFFER_AUTO out;
    buffer_init(&out, 4096);
    if (dev->common.json) {
        char image[DEV_PATH_MAX + 16];
        snprintf(image, sizeof image, "%s/enclaved.eif", dev->state);
        struct json_writer w = json_writer(&out);
        json_object(&w, NULL);
        json_text(&w, "status", "success");
        json_text(&w, "image", image);
        json_text(&w, "pcr0", dev->pcr0);
        json_end(&w);
        buffer_byte(&out, '\n');
    } else {
        buffer_printf(&out, "%s/enclaved.eif\n", dev->state);
    }
    report_note("PCR0 %s", dev->pcr0);
    return report_print(&dev->common, buffer_bytes(&out));
}

/* As --watch does: five minutes before the end, or at half of a short life. */
static int64_t renew_at_us(const struct dev *dev)
{
    int64_t life =
        dev->credential_seconds > 600 ? dev->credential_seconds - 300 : dev->credential_seconds / 2;
    return clock_wall_us() + life * 1000000;
}

static int report_death(struct dev *dev, struct child *child)
{
    struct error err;
    char log[64], line[DEV_LINE_SIZE], how[64];
    snprintf(log, sizeof log, "%s.log", child->name);
    dev_last_line(dev, log, line);
    child_describe(child, how, sizeof how);
    error_set(&err, ERROR_SYSTEM, "%s %s; its log ends: %s", child->name, how,
              line[0] != '\0' ? line : "(empty)");
    (void)report_failure_with(&dev->common, &err,
                              dev->dir != NULL ? NULL : "keep logs with --state");
    return EXIT_REFUSED;
}

/* Waits for a signal, a child's end or the time of renewal. False if it cannot wait. */
static bool wait_until(struct pollfd fds[DEV_WATCHED], int64_t until_us)
{
    int64_t rest = (until_us - clock_wall_us()) / 1000;
    rest = rest < 0 ? 0 : rest > INT_MAX ? INT_MAX : rest;
    int ready = poll(fds, DEV_WATCHED, (int)rest);
    if (ready <= 0) /* then revents are not set */
        fds[DEV_WATCHED - 1].revents = 0;
    return ready >= 0 || errno == EINTR;
}

/* Renews the credentials; returns when to do so again. */
static int64_t renew(struct dev *dev)
{
    struct error err = {0};
    if (dev_renew(dev, &err)) {
        report_note("session credentials renewed");
        return renew_at_us(dev);
    }
    if (err.code != ERROR_SHUTTING_DOWN)
        (void)report_failure(&dev->common, &err);
    return clock_wall_us() + INT64_C(1000) * RETRY_MS;
}

static struct child *ended_child(struct dev *dev)
{
    struct child *const children[] = {&dev->nsm, &dev->kms, &dev->way_out, &dev->enclaved};
    for (size_t i = 0; i < ARRAY_LEN(children); i++)
        if (children[i]->pid > 0 && child_ended(children[i]))
            return children[i];
    return NULL;
}

/* Until a signal (EXIT_OK) or the end of a child. */
static int wait_and_renew(struct dev *dev, struct pollfd fds[DEV_WATCHED])
{
    int64_t renew_us = renew_at_us(dev);
    for (;;) {
        if (!wait_until(fds, renew_us))
            return EXIT_LOCAL;
        if (fds[DEV_WATCHED - 1].revents != 0)
            return EXIT_OK;
        struct child *ended = ended_child(dev);
        if (ended != NULL)
            return report_death(dev, ended);
        if (clock_wall_us() >= renew_us)
            renew_us = renew(dev);
    }
}

/* A child that does not run has the descriptor -1, which poll ignores. */
static bool watch_child(const struct child *child, struct pollfd *out)
{
    /* Not glibc's pidfd_open, which is new in 2.36: Amazon Linux 2023 has glibc 2.34. */
    int fd = child->pid > 0 ? (int)syscall(SYS_pidfd_open, child->pid, 0u) : -1;
    *out = (struct pollfd){.fd = fd, .events = POLLIN};
    return child->pid == 0 || out->fd >= 0;
}

static int serve(struct dev *dev)
{
    struct pollfd fds[DEV_WATCHED] = {
        [DEV_WATCHED - 1] = {.fd = dev->stop_fd, .events = POLLIN},
    };
    int code = EXIT_LOCAL;
    bool watched = watch_child(&dev->nsm, &fds[0]);
    watched = watch_child(&dev->kms, &fds[1]) && watched;
    watched = watch_child(&dev->way_out, &fds[2]) && watched;
    watched = watch_child(&dev->enclaved, &fds[3]) && watched;
    if (watched) {
        code = wait_and_renew(dev, fds);
    } else {
        struct error err;
        error_set_errno(&err, ERROR_SYSTEM, "the children cannot be watched");
        code = report_failure(&dev->common, &err);
    }
    for (size_t i = 0; i < DEV_WATCHED - 1; i++)
        if (fds[i].fd >= 0)
            close(fds[i].fd);
    return code;
}

static int start_and_serve(struct dev *dev)
{
    struct error err = {0};
    if (!dev_start(dev, &err))
        return err.code == ERROR_SHUTTING_DOWN ? EXIT_OK : report_failure(&dev->common, &err);
    int code = dev->image_only ? report_image(dev) : report_ready(dev);
    return code == EXIT_OK && !dev->image_only ? serve(dev) : code;
}

static int run(void *given)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, 0};
    struct dev *dev = given;
    struct error err;
    dev->stop_fd = signals_open(ends, &err);
    if (dev->stop_fd < 0)
        return report_failure(&dev->common, &err);
    credentials_init(&dev->admin);
    credentials_init(&dev->session);
    credentials_init(&dev->previous);
    int code = start_and_serve(dev);
    dev_stop(dev);
    if (dev->run[0] != '\0')
        file_remove_tree(dev->run);
    credentials_clear(&dev->admin);
    credentials_clear(&dev->session);
    credentials_clear(&dev->previous);
    if (dev->state_fd >= 0)
        close(dev->state_fd);
    close(dev->stop_fd);
    return code;
}

static const struct dev initial = {
    .common.timeout_ms = DELIVERY_TIMEOUT_MS,
    .state_fd = -1,
    .nsm.out = -1,
    .kms.out = -1,
    .way_out.out = -1,
    .enclaved.out = -1,
};

const struct cli_command command_dev = {
    .name = "dev",
    .summary = "run enclaved on this machine with simulated NSM and KMS",
    .synopsis = "[--listen ADDRESS] [--tsk-file FILE] [--state DIR] [--kernel FILE]",
    .about =
        "Starts a simulated NSM and KMS, creates a key whose policy demands the measurement of\n"
        "this enclaved-dev and its configuration, wraps a session key under it, starts and\n"
        "configures enclaved-dev, and prints \"ready ADDRESS\". Runs until SIGINT, SIGTERM or\n"
        "SIGHUP and leaves nothing but what --state keeps.\n"
        "\n"
        "With --kernel it builds an image for this world (DIR/enclaved.eif), and enclave-sim vm\n"
        "boots it, with vsock, the kernel's own /dev/nsm and a relay.",
    .examples = "  enclavectl dev\n"
                "  enclavectl dev --listen tcp:127.0.0.1:5000 --state ~/.enclaved-dev\n"
                "  enclavectl dev --listen unix:/tmp/enclaved.sock --tsk-file tsk.hex\n"
                "  enclavectl dev --kernel build/bzImage --memory 64\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
