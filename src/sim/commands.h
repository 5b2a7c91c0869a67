/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands of enclave-sim: each takes its own name as argv[0] and returns the exit code. */
#ifndef SIM_COMMANDS_H
#define SIM_COMMANDS_H

/* Exit codes. */
#define SIM_OK     0
#define SIM_FAILED 1
#define SIM_USAGE  2

int command_kms(int argc, char **argv);
int command_nsm(int argc, char **argv);
int command_vm(int argc, char **argv);

#endif
