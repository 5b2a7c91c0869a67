/* SPDX-License-Identifier: Apache-2.0 */
/*
 * credential_process (AWS SDKs and Tools Reference Guide, "Process credential provider"): a command
 * for /bin/sh that prints {"Version": 1, "AccessKeyId": …}. What it prints is secret. Its
 * standard error is dropped: under --watch ours is a log.
 */
#include <sys/wait.h>

#include "host/credentials/credentials_internal.h"
#include "system/child.h"

#define OUTPUT_LIMIT  65536 /* bytes */
#define TIME_LIMIT_MS 60000

/* Says why what the command printed cannot be used; err may hold a reason already. */
static bool explain(const struct child *child, bool whole, bool ended, struct error *err)
{
    char how[64];
    if (!whole && (err->code == ERROR_NONE || err->code == ERROR_DEADLINE))
        return error_set(err, ERROR_DEADLINE, "credential_process takes longer than %d seconds",
                         TIME_LIMIT_MS / 1000);
    if (!whole)
        return false;
    if (ended && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0)
        return true;
    child_describe(child, how, sizeof how);
    return error_set(err, ERROR_NO_CREDENTIALS, "credential_process %s: run it by hand to see why",
                     how);
}

static bool run(struct buffer *out, const char *command, int stop_fd, struct error *err)
{
    const char *const argv[] = {"/bin/sh", "-c", command, NULL};
    struct child child;
    struct deadline deadline = deadline_in(TIME_LIMIT_MS);
    deadline.stop_fd = stop_fd;
    *err = (struct error){0};
    if (!child_start(&child, "credential_process", argv, -1, err))
        return false;
    bool whole = child_read_all(&child, out, &deadline, err) && child_wait(&child, &deadline);
    bool ended = child.pid == 0;
    child_stop(&child, 0);
    return explain(&child, whole, ended, err);
}

bool credentials_from_process(struct credentials *out, struct bytes command, int stop_fd,
                              struct error *err)
{
    bool good = false;
    struct buffer output, line;
    buffer_init_secret(&output, OUTPUT_LIMIT);
    buffer_init_secret(&line, OUTPUT_LIMIT); /* a command may hold a secret of its own */
    buffer_append(&line, command);
    buffer_byte(&line, 0);
    if (line.failed)
        error_set(err, ERROR_NO_CREDENTIALS, "the command of credential_process is too long");
    else
        good = run(&output, (const char *)line.at, stop_fd, err) &&
               credentials_from_json(out, buffer_bytes(&output), "SessionToken", true,
                                     "credential_process", err);
    buffer_clear(&line);
    buffer_clear(&output);
    return good;
}
