/* SPDX-License-Identifier: Apache-2.0 */
/* What is in the tables: commands and rows by index. */
#include <stdio.h>

#include "cli/cli_internal.h"

void cli_call_name(const struct cli_call *call, char out[CLI_NAME_SIZE])
{
    snprintf(out, CLI_NAME_SIZE, "%s%s%s", call->group == NULL ? "" : call->group->name,
             call->group == NULL ? "" : " ", call->command == NULL ? "" : call->command->name);
}

const struct cli_command *cli_command_at(const struct cli_program *program, size_t i)
{
    return i < program->command_count ? program->commands[i] : NULL;
}

const struct cli_option *cli_option_at(const struct cli_command *command, size_t i)
{
    static const struct cli_option help = {.name = "help", .help = "print this help"};
    if (i < command->option_count)
        return &command->options[i];
    return i == command->option_count ? &help : NULL;
}
