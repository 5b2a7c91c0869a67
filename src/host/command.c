/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl as a table of its commands. */
#include "host/command.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include "crypto/hash.h"
#include "host/report.h"

/* Credentials pass through this process: no core file, and no other process may read its memory. */
static void harden(void)
{
    struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        report_note("core files cannot be switched off");
}

static bool start(struct error *err)
{
    harden();
    return crypto_start() ||
           error_set(err, ERROR_CRYPTO, "the cryptographic library cannot be started");
}

/* The remedy for the code, if there is one, helps more than a reference to the help. */
static int refuse(const struct error *err, const char *remedy, bool json)
{
    const struct common common = {.json = json};
    const char *general = remedy_for_name(error_name(err->code));
    return report_failure_with(&common, err, general != NULL ? general : remedy);
}

static const struct cli_command *const commands[] = {
    &command_invoke, &command_pipeline, &command_configure,   &command_health,
    &command_dev,    &command_doctor,   &command_image,       &command_policy,
    &command_relay,  &cli_help_command, &cli_version_command, &cli_completion_command,
};

#define EXIT_ROW(id, code, text) {(code), (text)},
static const struct cli_exit exits[] = {EXIT_CODES(EXIT_ROW)};
#undef EXIT_ROW

const struct cli_program enclavectl = {
    .name = "enclavectl",
    .version = ENCLAVED_VERSION,
    .about = "Operates enclaved from the host, and helps to develop for it.",
    .more = "ADDRESS is vsock:CID:PORT, tcp:HOST:PORT or unix:PATH. Without --to it is taken from\n"
            "ENCLAVED_ADDRESS, else it is " DEFAULT_ADDRESS ".",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .exits = exits,
    .exit_count = ARRAY_LEN(exits),
    .unread = EXIT_LOCAL,
    .start = start,
    .refuse = refuse,
};
