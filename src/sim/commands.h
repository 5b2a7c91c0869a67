/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of enclave-sim, listed in commands.c. */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

#include "cli/cli.h"

/* Exit codes. */
#define SIM_OK     0
#define SIM_FAILED 1
#define SIM_USAGE  CLI_EXIT_USAGE

extern const struct cli_command command_kms;
extern const struct cli_command command_nsm;
extern const struct cli_command command_vm;

extern const struct cli_program enclave_sim;

#endif
