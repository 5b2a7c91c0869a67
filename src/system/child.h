/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Child processes. Each has a process group of its own, so that an interrupt at the terminal
 * reaches it only through its parent. It dies with the parent, even if the parent is killed. AWS
 * credentials and a wrapped TSK in the environment are not passed on.
 */
#ifndef SYSTEM_CHILD_H
#define SYSTEM_CHILD_H

#include <sys/types.h>

#include "base/buffer.h"
#include "net/deadline.h"

struct child {
    const char *name; /* for messages */
    pid_t pid;        /* 0: not running */
    int out;          /* reads its standard output; -1: none */
    int status;       /* from waitpid, once it has ended */
};

/*
 * Starts argv[0] (a path), standard input from /dev/null, standard error to err_fd (-1: /dev/null).
 * ERROR_SYSTEM with the reason if it cannot be started or executed.
 */
MUST_USE bool child_start(struct child *child, const char *name, const char *const argv[],
                          int err_fd, struct error *err);

/* Appends all that it prints, until it closes its output. */
MUST_USE bool child_read_all(struct child *child, struct buffer *out,
                             const struct deadline *deadline, struct error *err);

/* Appends one line that it prints, without the line feed. ERROR_CLOSED: it ended before that. */
MUST_USE bool child_read_line(struct child *child, struct buffer *out,
                              const struct deadline *deadline, struct error *err);

/* Whether it has ended; if so, its status is collected. */
bool child_ended(struct child *child);

/* Waits until it has ended. ERROR_DEADLINE, ERROR_SHUTTING_DOWN. */
bool child_wait(struct child *child, const struct deadline *deadline, struct error *err);

/* Asks it to end (SIGTERM); kills its whole group after grace_ms at most; collects its status. */
void child_stop(struct child *child, int64_t grace_ms);

/* "exited with status 1" or "was killed by signal 9", into text. */
void child_describe(const struct child *child, char *text, size_t size);

#endif
