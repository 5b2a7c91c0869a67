/* SPDX-License-Identifier: Apache-2.0 */
/* Starting, configuring and stopping what `enclavectl dev` runs. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "host/client/delivery.h"
#include "host/dev/dev.h"
#include "host/report.h"

#define ZEROS_24 "000000000000000000000000"
#define NO_PCR0  ("0=" ZEROS_24 ZEROS_24 ZEROS_24 ZEROS_24)

static bool open_log(const struct dev *dev, const char *name, int *fd, struct error *err)
{
    char path[DEV_PATH_MAX];
    if (!dev_path(dev, name, path, err))
        return false;
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return *fd >= 0 || error_set_errno(err, ERROR_SYSTEM, "cannot write %.200s", path);
}

/* Says why a child is not there, with the last line of its log. */
static void tell_end(const struct dev *dev, struct child *child, struct error *err)
{
    char log[64], line[400], how[64];
    struct deadline soon = deadline_in(1000);
    snprintf(log, sizeof log, "%s.log", child->name);
    dev_last_line(dev, log, line);
    if (child_wait(child, &soon))
        child_describe(child, how, sizeof how);
    else
        snprintf(how, sizeof how, "closed its output");
    error_set(err, ERROR_SYSTEM, "%s %s; its log ends: %s", child->name, how,
              line[0] != '\0' ? line : "(empty)");
}

static struct deadline wait_of(const struct dev *dev, int64_t ms)
{
    struct deadline deadline = deadline_in(ms);
    deadline.stop_fd = dev->stop_fd;
    return deadline;
}

static bool start_logged(const struct dev *dev, struct child *child, const char *name,
                         const char *const argv[], struct error *err)
{
    char log[64];
    int fd;
    snprintf(log, sizeof log, "%s.log", name);
    if (!open_log(dev, log, &fd, err))
        return false;
    bool started = child_start(child, name, argv, fd, err);
    close(fd);
    return started;
}

bool dev_run(const struct dev *dev, const char *name, const char *const argv[], int64_t wait_ms,
             struct error *err)
{
    struct child child = {.out = -1};
    const struct deadline deadline = wait_of(dev, wait_ms);
    BUFFER_AUTO out;
    buffer_init(&out, 65536);
    bool done =
        start_logged(dev, &child, name, argv, err) && child_read_all(&child, &out, &deadline, err);
    if (done && (!child_wait(&child, &deadline) || child.status != 0)) {
        tell_end(dev, &child, err);
        done = false;
    }
    child_stop(&child, DEV_GRACE_MS);
    return done;
}

bool dev_launch(const struct dev *dev, struct child *child, const char *name, const char *program,
                const char *const options[], int64_t wait_ms, char *ready, size_t size,
                struct error *err)
{
    char path[DEV_PATH_MAX + 64];
    const char *argv[24] = {path};
    for (size_t i = 0; options[i] != NULL && i + 2 < ARRAY_LEN(argv); i++)
        argv[i + 1] = options[i];
    snprintf(path, sizeof path, "%s/%s", dev->programs, program);
    if (!start_logged(dev, child, name, argv, err))
        return false;
    BUFFER_AUTO line;
    buffer_init(&line, 1024);
    const struct deadline deadline = wait_of(dev, wait_ms);
    if (!child_read_line(child, &line, &deadline, err)) {
        if (err->code == ERROR_CLOSED)
            tell_end(dev, child, err);
        return false;
    }
    if (line.len < 7 || memcmp(line.at, "ready ", 6) != 0 || line.len - 6 >= size)
        return error_set(err, ERROR_FORMAT, "%s does not say ready ADDRESS", name);
    snprintf(ready, size, "%.*s", (int)(line.len - 6), (const char *)line.at + 6);
    return true;
}

static bool start_nsm(struct dev *dev, const char *pcr0, struct error *err)
{
    char root[DEV_PATH_MAX], state[DEV_PATH_MAX], listen[128], ready[300];
    if (!dev_path(dev, "nsm-root.pem", root, err) || !dev_path(dev, "nsm", state, err))
        return false;
    snprintf(listen, sizeof listen, "unix:%s/nsm.sock", dev->run);
    const char *const options[] = {"nsm",   "--listen", listen,    "--root", root,
                                   "--pcr", pcr0,       "--state", state,    NULL};
    return dev_launch(dev, &dev->nsm, "nsm", "enclave-sim", options, DEV_WAIT_MS, ready,
                      sizeof ready, err);
}

static bool start_kms(struct dev *dev, struct error *err)
{
    char db[DEV_PATH_MAX], root[DEV_PATH_MAX], ca[DEV_PATH_MAX], credentials[DEV_PATH_MAX];
    if (!dev_path(dev, "kms.db", db, err) || !dev_path(dev, "nsm-root.pem", root, err) ||
        !dev_path(dev, "kms-ca.pem", ca, err) ||
        !dev_path(dev, "credentials.json", credentials, err))
        return false;
    const char *const options[] = {
        "kms",
        "--listen",
        "tcp:127.0.0.1:0",
        "--db",
        db,
        "--nsm-root",
        root,
        "--ca",
        ca,
        "--region",
        DEV_REGION,
        "--account",
        DEV_ACCOUNT,
        "--host",
        (DEV_HOST),
        "--credentials",
        credentials,
        NULL,
    };
    if (!dev_launch(dev, &dev->kms, "kms", "enclave-sim", options, DEV_WAIT_MS, dev->relay,
                    sizeof dev->relay, err))
        return false;
    return strncmp(dev->relay, "tcp:", 4) == 0 ||
           error_set(err, ERROR_FORMAT, "the simulated KMS does not listen on TCP");
}

static bool start_enclaved(struct dev *dev, struct error *err)
{
    char config[DEV_PATH_MAX], nsm[128];
    if (!dev_path(dev, "enclaved.json", config, err))
        return false;
    snprintf(nsm, sizeof nsm, "unix:%s/nsm.sock", dev->run);
    const char *const options[] = {"--config", config, "--nsm", nsm, "--listen", dev->listen, NULL};
    return dev_launch(dev, &dev->enclaved, "enclaved", "enclaved-dev", options, DEV_WAIT_MS,
                      dev->address, sizeof dev->address, err);
}

/*
 * The simulated KMS wants the NSM's root, the policy wants PCR0, PCR0 covers the configuration, and
 * that names the key and where KMS listens. So the NSM is started once to make its root, and again
 * with the measurement; a virtual machine has its own.
 */
static bool start_simulators(struct dev *dev, struct error *err)
{
    char root[DEV_PATH_MAX], pcr0[128];
    if (!dev_path(dev, "nsm-root.pem", root, err))
        return false;
    if (access(root, R_OK) != 0) {
        if (!start_nsm(dev, NO_PCR0, err))
            return false;
        child_stop(&dev->nsm, DEV_GRACE_MS);
    }
    if (!start_kms(dev, err) || !dev_key(dev, err) || !dev_write_config(dev, err) ||
        !(dev->kernel != NULL ? dev_image(dev, err) : dev_measure(dev, err)) ||
        !dev_policy(dev, err) || !dev_wrap(dev, err))
        return false;
    if (dev->kernel != NULL)
        return true;
    snprintf(pcr0, sizeof pcr0, "0=%s", dev->pcr0);
    return start_nsm(dev, pcr0, err);
}

bool dev_configure(struct dev *dev, bool whole, struct error *err)
{
    char wrapped[DEV_PATH_MAX];
    const struct delivery delivery = {
        .wrapped_tsk_file = wrapped,
        .context = {DEV_CONTEXT_1, DEV_CONTEXT_2},
        .context_count = 2,
    };
    CLIENT_AUTO client;
    client_init(&client, dev->common.timeout_ms, FRAME_LIMIT, dev->stop_fd);
    if (!dev_path(dev, "tsk.b64", wrapped, err) ||
        !delivery_send(&delivery, dev->address, &dev->session, whole, &client, err))
        return false;
    if (!client_refused(&client))
        return true;
    BUFFER_AUTO text;
    buffer_init(&text, 4096);
    append_json_text(&text, &client.answer, json_member(&client.answer, 0, "error"));
    buffer_text(&text, ": ");
    append_json_text(&text, &client.answer, json_member(&client.answer, 0, "cause"));
    return error_set(err, ERROR_KMS_DENIED, "enclaved refused its configuration: %.*s",
                     (int)(text.len < 400 ? text.len : 400), (const char *)text.at);
}

bool dev_start(struct dev *dev, struct error *err)
{
    return dev_folders(dev, err) && dev_new_credentials(&dev->admin, "AKIA", 0, err) &&
           dev_new_credentials(&dev->session, "ASIA", dev->credential_seconds, err) &&
           dev_write_credentials(dev, err) && start_simulators(dev, err) &&
           (dev->image_only ||
            ((dev->kernel != NULL ? dev_boot(dev, err) : start_enclaved(dev, err)) &&
             dev_configure(dev, true, err)));
}

bool dev_renew(struct dev *dev, struct error *err)
{
    struct credentials oldest = dev->previous;
    dev->previous = dev->session;
    credentials_clear(&oldest);
    credentials_init(&dev->session);
    return dev_new_credentials(&dev->session, "ASIA", dev->credential_seconds, err) &&
           dev_write_credentials(dev, err) && dev_configure(dev, false, err);
}

void dev_stop(struct dev *dev)
{
    child_stop(&dev->enclaved, DEV_GRACE_MS);
    child_stop(&dev->way_out, DEV_GRACE_MS);
    child_stop(&dev->kms, DEV_GRACE_MS);
    child_stop(&dev->nsm, DEV_GRACE_MS);
}
