/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of enclavectl: one file each, listed in main.c. A command gets the arguments behind
 * the program's name, its own name first, and returns an exit code (host/exit.h).
 */
#ifndef HOST_COMMAND_H
#define HOST_COMMAND_H

typedef int (*command_function)(int argc, char **argv);

int command_invoke(int argc, char **argv);
int command_pipeline(int argc, char **argv);
int command_configure(int argc, char **argv);
int command_health(int argc, char **argv);
int command_dev(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_image(int argc, char **argv);
int command_policy(int argc, char **argv);
int command_relay(int argc, char **argv);

#endif
