/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim as a table of its commands. */
#include "sim/commands.h"

#include <stdio.h>

#include "base/log.h"
#include "crypto/hash.h"
#include "formats/text.h"

static bool start(struct error *err)
{
    log_start("enclave-sim", LOG_INFO);
    return crypto_start() ||
           error_set(err, ERROR_CRYPTO, "the cryptographic library cannot be started");
}

static int refuse(const struct error *err, const char *remedy, bool json)
{
    const char *cause = err->cause[0] != '\0' ? err->cause : error_text(err->code);
    BUFFER_AUTO line;
    buffer_init(&line, 16384);
    (void)json;
    append_escaped(&line, bytes_text(cause));
    buffer_printf(&line, "%s%s", remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
    fprintf(stderr, "enclave-sim: %.*s\n", (int)line.len, (const char *)line.at);
    return remedy != NULL ? SIM_USAGE : SIM_FAILED;
}

static const struct cli_command *const commands[] = {&command_kms,         &command_nsm,
                                                     &command_vm,          &cli_help_command,
                                                     &cli_version_command, &cli_completion_command};

static const struct cli_exit exits[] = {
    {SIM_OK, "ended as asked; a virtual machine may also end by itself after its heartbeat"},
    {SIM_FAILED, "failed; the reason is on standard error"},
    {SIM_USAGE, "wrong usage"},
};

const struct cli_program enclave_sim = {
    .name = "enclave-sim",
    .version = ENCLAVED_VERSION,
    .about = "Stand-ins for Nitro hardware and AWS services, for development and tests.",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .exits = exits,
    .exit_count = ARRAY_LEN(exits),
    .unread = SIM_FAILED,
    .start = start,
    .refuse = refuse,
};
