/* SPDX-License-Identifier: Apache-2.0 */
#include "system/child.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sockets/deadline_sleep.h"

#define POLL_MS 10 /* between looks at a child that is expected to end */

static void restore_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
}

static void remove_secrets(void)
{
    static const char *const names[] = {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
                                        "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                                        "ENCRYPTED_TSK"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        unsetenv(names[i]);
}

/* In the child. Sends errno through report if the program cannot be executed. */
static _Noreturn void become(const char *const argv[], pid_t parent, int out, int err_fd,
                             int report)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    setpgid(0, 0);
    bool bound = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
    if (bound && null >= 0 && dup2(null, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(err_fd >= 0 ? err_fd : null, STDERR_FILENO) >= 0) {
        restore_signals();
        remove_secrets();
        execv(argv[0], (char *const *)(uintptr_t)argv);
    }
    int reason = errno;
    ssize_t n = write(report, &reason, sizeof reason);
    _exit(n == (ssize_t)sizeof reason ? 127 : 126);
}

static bool fork_into(struct child *child, const char *const argv[], int err_fd, int out[2],
                      int report[2])
{
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid < 0) {
        int number = errno;
        for (int i = 0; i < 2; i++) {
            close(out[i]);
            close(report[i]);
        }
        errno = number;
        return false;
    }
    if (pid == 0)
        become(argv, parent, out[1], err_fd, report[1]);
    child->pid = pid;
    setpgid(pid, pid); /* here too: the group must exist before it is signalled */
    close(out[1]);
    close(report[1]);
    int reason;
    ssize_t n;
    do
        n = read(report[0], &reason, sizeof reason);
    while (n < 0 && errno == EINTR);
    close(report[0]);
    child->out = out[0];
    if (n <= 0)
        return true;
    child_stop(child, 0);
    errno = n == (ssize_t)sizeof reason ? reason : EIO;
    return false;
}

bool child_start(struct child *child, const char *name, const char *const argv[], int err_fd,
                 struct error *err)
{
    int out[2], report[2];
    *child = (struct child){.name = name, .out = -1};
    if (pipe2(out, O_CLOEXEC) != 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot start %.60s", name);
    if (pipe2(report, O_CLOEXEC) != 0) {
        error_set_errno(err, ERROR_SYSTEM, "cannot start %.60s", name);
        close(out[0]);
        close(out[1]);
        return false;
    }
    if (!fork_into(child, argv, err_fd, out, report))
        return error_set_errno(err, ERROR_SYSTEM, "cannot start %.60s (%.200s)", name, argv[0]);
    return true;
}

/* Reads up to room bytes; *got is 0 at the end. */
static bool read_some(struct child *child, uint8_t *at, size_t room, size_t *got,
                      const struct deadline *deadline, struct error *err)
{
    for (;;) {
        if (!deadline_wait(deadline, child->out, POLLIN, err))
            return false;
        ssize_t n = read(child->out, at, room);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set_errno(err, ERROR_SYSTEM, "cannot read from %.60s", child->name);
        *got = (size_t)n;
        return true;
    }
}

bool child_read_all(struct child *child, struct buffer *out, const struct deadline *deadline,
                    struct error *err)
{
    for (;;) {
        size_t room = out->limit - out->len < 4096 ? out->limit - out->len : 4096, got = 0;
        uint8_t *at = room > 0 ? buffer_reserve(out, room) : NULL;
        if (at == NULL)
            return error_set(err, ERROR_FORMAT, "%.60s prints more than %zu bytes", child->name,
                             out->limit);
        if (!read_some(child, at, room, &got, deadline, err))
            return false;
        if (got == 0)
            return true;
        buffer_commit(out, got);
    }
}

bool child_read_line(struct child *child, struct buffer *out, const struct deadline *deadline,
                     struct error *err)
{
    for (;;) {
        uint8_t c;
        size_t got = 0;
        if (!read_some(child, &c, 1, &got, deadline, err))
            return false;
        if (got == 0)
            return error_set(err, ERROR_CLOSED, "%.60s ended before it was ready", child->name);
        if (c == '\n')
            return true;
        buffer_byte(out, c);
        if (out->failed)
            return error_set(err, ERROR_FORMAT, "%.60s prints too long a line", child->name);
    }
}

static void close_out(struct child *child)
{
    if (child->out >= 0)
        close(child->out);
    child->out = -1;
}

bool child_ended(struct child *child)
{
    if (child->pid == 0)
        return true;
    pid_t found = waitpid(child->pid, &child->status, WNOHANG);
    if (found == 0 || (found < 0 && errno == EINTR))
        return false;
    child->pid = 0;
    return true;
}

bool child_wait(struct child *child, const struct deadline *deadline, struct error *err)
{
    while (!child_ended(child))
        if (!deadline_sleep(deadline, POLL_MS, err))
            return child_ended(child);
    return true;
}

void child_stop(struct child *child, int64_t grace_ms)
{
    if (child->pid > 0) {
        pid_t group = child->pid;
        struct deadline grace = deadline_in(grace_ms);
        kill(child->pid, SIGTERM);
        bool ended = child_wait(child, &grace, NULL);
        kill(-group, SIGKILL); /* also the processes that it started */
        if (!ended) {
            struct deadline never = {.at_ms = INT64_MAX, .stop_fd = -1};
            (void)child_wait(child, &never, NULL);
        }
    }
    close_out(child);
}

void child_describe(const struct child *child, char *text, size_t size)
{
    if (WIFSIGNALED(child->status))
        snprintf(text, size, "was killed by signal %d", WTERMSIG(child->status));
    else
        snprintf(text, size, "exited with status %d", WEXITSTATUS(child->status));
}
