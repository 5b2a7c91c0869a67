/* SPDX-License-Identifier: Apache-2.0 */
/* The programs that `enclavectl dev` starts: each with a log of its own in the state folder. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "host/dev/dev.h"

static bool open_log(const struct dev *dev, const char *name, int *fd, struct error *err)
{
    char path[DEV_PATH_MAX];
    if (!dev_path(dev, name, path, err))
        return false;
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    return *fd >= 0 || error_set_errno(err, ERROR_SYSTEM, "cannot write %.200s", path);
}

/* Sets an error that says how a child ended, with the last line of its log. */
static void explain_end(const struct dev *dev, struct child *child, struct error *err)
{
    char log[64], line[DEV_LINE_SIZE], how[64];
    struct deadline soon = deadline_in(1000);
    snprintf(log, sizeof log, "%s.log", child->name);
    dev_last_line(dev, log, line);
    if (child_wait(child, &soon, NULL))
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
    if (done && (!child_wait(&child, &deadline, NULL) || child.status != 0)) {
        explain_end(dev, &child, err);
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
            explain_end(dev, child, err);
        return false;
    }
    if (line.len < 7 || memcmp(line.at, "ready ", 6) != 0 || line.len - 6 >= size)
        return error_set(err, ERROR_FORMAT, "%s does not print ready ADDRESS", name);
    snprintf(ready, size, "%.*s", (int)(line.len - 6), (const char *)line.at + 6);
    return true;
}
