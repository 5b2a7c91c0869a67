/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands that print credentials, {"Version": 1, "AccessKeyId": …} (AWS SDKs and Tools Reference
 * Guide, "Process credential provider"): the credential_process of a profile, for /bin/sh, and the
 * AWS CLI, for what only it resolves (IAM Identity Center, aws login). What they print is secret.
 * Their standard error is dropped: under --watch ours is a log.
 */
#include <limits.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/text.h"
#include "host/credentials/credentials_internal.h"
#include "system/child.h"

#define OUTPUT_LIMIT  65536 /* bytes */
#define TIME_LIMIT_MS 60000

struct command {
    const char *name; /* for messages, as the remedies: where it fails, … */
    const char *const *argv;
    const char *remedy;
    const char *usage_remedy; /* … and where it does not know its arguments; NULL: the same */
};

/* What the AWS CLI ends with for arguments that it does not know: version 1, and version 2. */
static bool is_usage(int status)
{
    return WIFEXITED(status) && (WEXITSTATUS(status) == 2 || WEXITSTATUS(status) == 252);
}

/* Says why what the command printed cannot be used; err may hold a reason already. */
static bool explain(const struct command *command, const struct child *child, bool whole,
                    bool ended, struct error *err)
{
    char how[64];
    if (err->code == ERROR_SHUTTING_DOWN)
        return false;
    if (!whole && err->code == ERROR_DEADLINE)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s takes longer than %d seconds",
                         child->name, TIME_LIMIT_MS / 1000);
    if (!whole) {
        err->code = ERROR_CREDENTIAL_SOURCE;
        return false;
    }
    if (ended && WIFEXITED(child->status) && WEXITSTATUS(child->status) == 0)
        return true;
    child_describe(child, how, sizeof how);
    bool usage = command->usage_remedy != NULL && is_usage(child->status);
    return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s %s: %s", child->name, how,
                     usage ? command->usage_remedy : command->remedy);
}

/* Runs a command and takes what it prints. */
static bool run(struct credentials *out, const struct command *command, int stop_fd,
                struct error *err)
{
    struct child child;
    struct deadline deadline = deadline_in(TIME_LIMIT_MS);
    BUFFER_AUTO output;
    buffer_init_secret(&output, OUTPUT_LIMIT);
    deadline.stop_fd = stop_fd;
    *err = (struct error){0};
    if (!child_start(&child, command->name, command->argv, -1, err)) {
        err->code = ERROR_CREDENTIAL_SOURCE;
        return false;
    }
    bool whole =
        child_read_all(&child, &output, &deadline, err) && child_wait(&child, &deadline, err);
    bool ended = child.pid == 0;
    child_stop(&child, 0);
    return explain(command, &child, whole, ended, err) &&
           credentials_from_json(out, buffer_bytes(&output), "SessionToken", true, command->name,
                                 err);
}

bool credentials_from_process(struct credentials *out, struct bytes text, int stop_fd,
                              struct error *err)
{
    BUFFER_AUTO line;
    buffer_init_secret(&line, OUTPUT_LIMIT); /* a command may hold a secret of its own */
    buffer_append(&line, text);
    buffer_byte(&line, 0);
    if (line.failed)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "the command of credential_process is too long");
    const char *const argv[] = {"/bin/sh", "-c", (const char *)line.at, NULL};
    const struct command shell = {
        .name = "credential_process", .argv = argv, .remedy = "run it by hand to see why"};
    return run(out, &shell, stop_fd, err);
}

/* Looks for the AWS CLI in the folders of PATH that are absolute. */
static bool find_cli(char path[PATH_MAX])
{
    const char *variable = credentials_variable("PATH");
    struct bytes rest = bytes_text(variable != NULL ? variable : "");
    while (rest.len > 0) {
        struct bytes folder = text_cut(&rest, ':');
        if (folder.len == 0 || folder.at[0] != '/' || folder.len >= PATH_MAX)
            continue;
        int len = snprintf(path, PATH_MAX, "%.*s/aws", (int)folder.len, (const char *)folder.at);
        if (len > 0 && len < PATH_MAX && access(path, X_OK) == 0)
            return true;
    }
    return false;
}

bool credentials_from_cli(struct credentials *out, const char *profile, const char *why,
                          int stop_fd, struct error *err)
{
    char path[PATH_MAX], remedy[160];
    bool login = strcmp(why, "login_session") == 0;
    if (!find_cli(path))
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "profile %.60s has %s, which only the AWS CLI resolves, and there is no "
                         "aws in PATH: install the AWS CLI, version 2, or name another profile",
                         profile, why);
    snprintf(out->source, sizeof out->source, "profile %.60s (%s) through the AWS CLI", profile,
             why);
    snprintf(remedy, sizeof remedy, "sign in with aws %s --profile %.60s",
             login ? "login" : "sso login", profile);
    const char *const argv[] = {
        path, "configure", "export-credentials", "--profile", profile, "--format", "process", NULL};
    const struct command cli = {
        .name = "aws configure export-credentials",
        .argv = argv,
        .remedy = remedy,
        .usage_remedy = "install a newer AWS CLI, version 2",
    };
    return run(out, &cli, stop_fd, err);
}
