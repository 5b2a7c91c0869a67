/* SPDX-License-Identifier: Apache-2.0 */
/* The completion script for fish. */
#include <stdio.h>

#include "cli/cli_internal.h"

static void append_quoted(struct buffer *out, const char *text)
{
    buffer_byte(out, '\'');
    for (; *text != '\0'; text++)
        buffer_printf(out, "%s%c", *text == '\'' || *text == '\\' ? "\\" : "", *text);
    buffer_byte(out, '\'');
}

/* complete -c PROGRAM -n 'PREDICATE WORDS' */
static void append_rule(struct buffer *out, const struct cli_program *program,
                        const char *predicate, const char *words)
{
    buffer_printf(out, "complete -c %s -n '__%s_%s%s%s'", program->name, program->name, predicate,
                  words[0] == '\0' ? "" : " ", words);
}

static void append_name(struct buffer *out, const struct cli_program *program, const char *after,
                        const struct cli_command *command)
{
    append_rule(out, program, "next", after);
    buffer_printf(out, " -a %s -d ", command->name);
    append_quoted(out, command->summary);
    buffer_byte(out, '\n');
}

/* What a value may be; -x: no file. */
static void append_value(struct buffer *out, const struct cli_option *option, bool operand)
{
    if (option->to.kind == CLI_KIND_CHOICE) {
        buffer_text(out, operand ? " -a '" : " -x -a '");
        for (size_t i = 0; option->to.choices[i] != NULL; i++)
            buffer_printf(out, "%s%s", i == 0 ? "" : " ", option->to.choices[i]);
        buffer_byte(out, '\'');
    } else if (cli_is_file(option)) {
        buffer_text(out, operand ? " -F" : " -r -F");
    } else if (cli_is_folder(option)) {
        buffer_text(out, " -x -a '(__fish_complete_directories)'");
    } else if (!operand) {
        buffer_text(out, " -x");
    }
}

static void append_command(struct buffer *out, const struct cli_program *program, const char *name,
                           const struct cli_command *command)
{
    const struct cli_option *option;
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
        append_rule(out, program, "at", name);
        buffer_printf(out, " -l %s", option->name);
        if (option->argument != NULL)
            append_value(out, option, false);
        buffer_text(out, " -d ");
        append_quoted(out, option->help);
        buffer_byte(out, '\n');
    }
    if (command->operand == NULL)
        return;
    append_rule(out, program, "at", name);
    append_value(out, command->operand, true);
    buffer_byte(out, '\n');
}

void cli_complete_fish(const struct cli_program *program, struct buffer *out)
{
    const struct cli_command *command;
    const char *name = program->name;
    buffer_printf(out,
                  "# Completion of %s for fish, made by `%s completion fish`.\n"
                  "function __%s_next -d 'the line so far is these words'\n"
                  "    set -l words (commandline -opc)\n"
                  "    set -e words[1]\n"
                  "    test \"$words\" = \"$argv\"\n"
                  "end\n"
                  "function __%s_at -d 'the line so far begins with these words'\n"
                  "    set -l words (commandline -opc)\n"
                  "    set -e words[1]\n"
                  "    set -l most (count $argv)\n"
                  "    test (count $words) -ge $most\n"
                  "    and test \"$words[1..$most]\" = \"$argv\"\n"
                  "end\n"
                  "complete -c %s -f\n",
                  name, name, name, name, name);
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++) {
        append_name(out, program, "", command);
        append_name(out, program, "help", command);
        for (size_t k = 0; k < command->verb_count; k++) {
            char words[2 * CLI_NAME_SIZE];
            append_name(out, program, command->name, command->verbs[k]);
            snprintf(words, sizeof words, "help %s", command->name);
            append_name(out, program, words, command->verbs[k]);
            snprintf(words, sizeof words, "%s %s", command->name, command->verbs[k]->name);
            append_command(out, program, words, command->verbs[k]);
        }
        if (command->verb_count == 0)
            append_command(out, program, command->name, command);
    }
}
