/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of enclavectl, listed in command.c. A command returns an exit code (host/exit.h). */
#ifndef HOST_COMMAND_H
#define HOST_COMMAND_H

#include "cli/cli.h"

extern const struct cli_command command_invoke;
extern const struct cli_command command_pipeline;
extern const struct cli_command command_configure;
extern const struct cli_command command_health;
extern const struct cli_command command_dev;
extern const struct cli_command command_doctor;
extern const struct cli_command command_image;
extern const struct cli_command command_policy;
extern const struct cli_command command_relay;

extern const struct cli_program enclavectl;

#endif
