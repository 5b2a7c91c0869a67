/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this folder share: the command that is meant, and what is done with it. */
#ifndef CLI_CLI_INTERNAL_H
#define CLI_CLI_INTERNAL_H

#include "base/buffer.h"
#include "cli/cli.h"

#define CLI_NAME_SIZE  64 /* "image build", with its terminator */
#define CLI_NAME_SHOWN 40 /* characters of an unknown option that are repeated */

/* Which command, and where it belongs. */
struct cli_call {
    const struct cli_program *program;
    const struct cli_command *group;   /* whose verb it is; NULL: the program's own command */
    const struct cli_command *command; /* NULL: none, the program itself */
};

/* "image build", or "" for the program. */
void cli_call_name(const struct cli_call *call, char out[CLI_NAME_SIZE]);

/* The commands of a program by index; NULL after the last. */
const struct cli_command *cli_command_at(const struct cli_program *program, size_t i);

/* The rows of a command by index, --help being the last; NULL after it. */
const struct cli_option *cli_option_at(const struct cli_command *command, size_t i);

/* --- cli_parse.c --- */

struct cli_outcome {
    bool wants_help;
    const char *similar; /* a failure: the option that may have been meant; NULL: none is like it */
};

/*
 * Reads the arguments after the command's own name into options, which has command->size bytes and
 * is overwritten. ERROR_USAGE, or what a row's function says.
 */
MUST_USE bool cli_parse(const struct cli_call *call, int argc, char **argv, void *options,
                        struct cli_outcome *outcome, struct error *err);

/* --- cli_similar.c --- */

/* The name that is most like a word that is not known: few letters differ, or the word begins it.
 * NULL: none is like it. */
const char *cli_similar_command(const struct cli_program *program, const char *word);
const char *cli_similar_verb(const struct cli_command *group, const char *word);
const char *cli_similar_option(const struct cli_command *command, struct bytes word);

/* --- cli_help.c --- */

void cli_help(const struct cli_call *call, struct buffer *out);

/* --- cli_complete_*.c: a script for a shell --- */

void cli_complete_bash(const struct cli_program *program, struct buffer *out);
void cli_complete_zsh(const struct cli_program *program, struct buffer *out);
void cli_complete_fish(const struct cli_program *program, struct buffer *out);

/* Whether the value of an option or operand is a file (or folder) of this machine. */
bool cli_is_file(const struct cli_option *option);
bool cli_is_folder(const struct cli_option *option);

#endif
