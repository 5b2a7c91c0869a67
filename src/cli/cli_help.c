/* SPDX-License-Identifier: Apache-2.0 */
/* --help, from the tables. */
#include <stdio.h>

#include "cli/cli_internal.h"

#define WIDTH    96 /* of a line */
#define LEFT_MAX 32 /* widest left column; what is wider pushes its text to the right */

/* Appends text in lines that end before WIDTH; the first begins at column at, others at indent. */
static void append_wrapped(struct buffer *out, size_t at, size_t indent, const char *text)
{
    bool begins = true; /* a line */
    while (*text != '\0') {
        size_t len = strcspn(text, " ");
        if (!begins && at + 1 + len > WIDTH) {
            buffer_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!begins) {
            buffer_byte(out, ' ');
            at++;
        }
        begins = false;
        buffer_append(out, bytes_of(text, len));
        at += len;
        text += len;
        text += strspn(text, " ");
    }
    buffer_byte(out, '\n');
}

/* Two columns: what it is called, and what it does. */
static void append_row(struct buffer *out, size_t width, const char *left, const char *text)
{
    size_t len = strlen(left);
    buffer_printf(out, "  %-*s  ", (int)width, left);
    append_wrapped(out, 4 + (len > width ? len : width), 4 + width, text);
}

static void left_of(const struct cli_option *option, char out[CLI_NAME_SIZE])
{
    const char *argument = option->argument != NULL ? option->argument : "";
    if (option->name == NULL)
        snprintf(out, CLI_NAME_SIZE, "%s", argument);
    else
        snprintf(out, CLI_NAME_SIZE, "--%s%s%s", option->name, argument[0] != '\0' ? " " : "",
                 argument);
}

/* The operand, if there is one, then the options. */
static const struct cli_option *row_at(const struct cli_command *command, size_t i)
{
    if (command->operand == NULL)
        return cli_option_at(command, i);
    return i == 0 ? command->operand : cli_option_at(command, i - 1);
}

static void append_options(const struct cli_command *command, struct buffer *out)
{
    const struct cli_option *row;
    char left[CLI_NAME_SIZE];
    size_t width = 0;
    for (size_t i = 0; (row = row_at(command, i)) != NULL; i++) {
        left_of(row, left);
        if (strlen(left) > width && strlen(left) <= LEFT_MAX)
            width = strlen(left);
    }
    buffer_text(out, "\noptions:\n");
    for (size_t i = 0; (row = row_at(command, i)) != NULL; i++) {
        left_of(row, left);
        append_row(out, width, left, row->help);
    }
}

static void append_verbs(const struct cli_call *call, struct buffer *out)
{
    const struct cli_command *group = call->command;
    buffer_text(out, "\nverbs:\n");
    for (size_t i = 0; i < group->verb_count; i++)
        append_row(out, 10, group->verbs[i]->name, group->verbs[i]->summary);
    buffer_printf(out, "\n%s %s VERB --help shows the options and examples of a verb.\n",
                  call->program->name, group->name);
}

static void append_exits(const struct cli_program *program, struct buffer *out)
{
    buffer_text(out, "\nexit codes:\n");
    for (size_t i = 0; i < program->exit_count; i++)
        buffer_printf(out, "  %d  %s\n", program->exits[i].code, program->exits[i].meaning);
}

static void append_program(const struct cli_program *program, struct buffer *out)
{
    const struct cli_command *command;
    buffer_printf(out, "usage: %s COMMAND [OPTION...]\n\n%s\n\ncommands:\n", program->name,
                  program->about);
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
        append_row(out, 10, command->name, command->summary);
    buffer_printf(out,
                  "\n%s help COMMAND shows the options and examples of a command; so does\n"
                  "%s COMMAND --help.\n",
                  program->name, program->name);
    if (program->more != NULL)
        buffer_printf(out, "\n%s\n", program->more);
}

/* The text of a command that every program has names it PROGRAM. */
static void append_about(const struct cli_call *call, struct buffer *out)
{
    static const char word[] = "PROGRAM";
    const char *text = call->command->about;
    for (const char *at; (at = strstr(text, word)) != NULL; text = at + sizeof word - 1) {
        buffer_append(out, bytes_of(text, (size_t)(at - text)));
        buffer_text(out, call->program->name);
    }
    buffer_printf(out, "%s\n", text);
}

static void append_command(const struct cli_call *call, struct buffer *out)
{
    const struct cli_command *command = call->command;
    char name[CLI_NAME_SIZE];
    cli_call_name(call, name);
    buffer_printf(out, "usage: %s %s%s%s\n\n", call->program->name, name,
                  command->synopsis[0] == '\0' ? "" : " ", command->synopsis);
    append_about(call, out);
    if (command->verb_count > 0)
        append_verbs(call, out);
    else
        append_options(command, out);
    if (command->more != NULL)
        buffer_printf(out, "\n%s\n", command->more);
    if (command->examples != NULL)
        buffer_printf(out, "\nexamples:\n%s", command->examples);
}

void cli_help(const struct cli_call *call, struct buffer *out)
{
    if (call->command == NULL)
        append_program(call->program, out);
    else
        append_command(call, out);
    append_exits(call->program, out);
}
