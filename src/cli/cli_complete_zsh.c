/* SPDX-License-Identifier: Apache-2.0 */
/* The completion script for zsh, and what the scripts share. */
#include "cli/cli_internal.h"

bool cli_is_file(const struct cli_option *option)
{
    return option->argument != NULL && strcmp(option->argument, "FILE") == 0;
}

bool cli_is_folder(const struct cli_option *option)
{
    return option->argument != NULL && strcmp(option->argument, "DIR") == 0;
}

/* Text within single quotes, in which _arguments and _describe give meaning to some signs. */
static void append_quoted(struct buffer *out, const char *text, const char *special)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            buffer_text(out, "'\\''");
        else if (strchr(special, *text) != NULL)
            buffer_printf(out, "\\%c", *text);
        else
            buffer_byte(out, (uint8_t)*text);
    }
}

/* ":MESSAGE:ACTION", what a value may be. */
static void append_value(struct buffer *out, const struct cli_option *option)
{
    buffer_byte(out, ':');
    append_quoted(out, option->argument, ":\\");
    buffer_byte(out, ':');
    if (option->to.kind == CLI_KIND_CHOICE) {
        for (size_t i = 0; option->to.choices[i] != NULL; i++)
            buffer_printf(out, "%s%s", i == 0 ? "(" : " ", option->to.choices[i]);
        buffer_byte(out, ')');
    } else if (cli_is_file(option)) {
        buffer_text(out, "_files");
    } else if (cli_is_folder(option)) {
        buffer_text(out, "_files -/");
    } else {
        buffer_byte(out, ' ');
    }
}

static void append_command(struct buffer *out, const struct cli_command *command)
{
    const struct cli_option *option;
    buffer_text(out, "_arguments -S");
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++) {
        buffer_printf(out, " \\\n            '%s--%s%s[", option->to.most > 0 ? "*" : "",
                      option->name, option->argument != NULL ? "=" : "");
        append_quoted(out, option->help, "[]\\");
        buffer_byte(out, ']');
        if (option->argument != NULL)
            append_value(out, option);
        buffer_byte(out, '\'');
    }
    if (command->operand != NULL) {
        buffer_printf(out, " \\\n            '%s", command->operand->to.most > 0 ? "*" : "1");
        append_value(out, command->operand);
        buffer_byte(out, '\'');
    }
    buffer_text(out, " ;;\n");
}

static void append_described(struct buffer *out, const struct cli_command *command)
{
    buffer_printf(out, "            '%s:", command->name);
    append_quoted(out, command->summary, ":\\");
    buffer_text(out, "'\n");
}

/* One function a level: it names what may come next, or leads to what came. */
static void append_head(struct buffer *out, const struct cli_program *program, const char *group)
{
    buffer_printf(out,
                  "_%s%s%s() {\n"
                  "    local curcontext=$curcontext state line names\n"
                  "    _arguments -C '1: :->name' '*:: :->rest'\n"
                  "    case $state in\n"
                  "    name)\n"
                  "        names=(\n",
                  program->name, group == NULL ? "" : "_", group == NULL ? "" : group);
}

static void append_middle(struct buffer *out, const char *what)
{
    buffer_printf(out,
                  "        )\n"
                  "        _describe %s names ;;\n"
                  "    rest)\n"
                  "        case $line[1] in\n",
                  what);
}

static const char foot[] = "        esac ;;\n    esac\n}\n";

static void append_group(struct buffer *out, const struct cli_program *program,
                         const struct cli_command *group)
{
    append_head(out, program, group->name);
    for (size_t i = 0; i < group->verb_count; i++)
        append_described(out, group->verbs[i]);
    append_middle(out, "verb");
    for (size_t i = 0; i < group->verb_count; i++) {
        buffer_printf(out, "        %s) ", group->verbs[i]->name);
        append_command(out, group->verbs[i]);
    }
    buffer_text(out, foot);
}

void cli_complete_zsh(const struct cli_program *program, struct buffer *out)
{
    const struct cli_command *command;
    const char *name = program->name;
    buffer_printf(out, "#compdef %s\n# Completion of %s for zsh, made by `%s completion zsh`.\n",
                  name, name, name);
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
        if (command->verb_count > 0)
            append_group(out, program, command);
    append_head(out, program, NULL);
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
        append_described(out, command);
    append_middle(out, "command");
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++) {
        buffer_printf(out, "        %s) ", command->name);
        if (strcmp(command->name, "help") == 0)
            buffer_printf(out, "_%s ;;\n", name);
        else if (command->verb_count > 0)
            buffer_printf(out, "_%s_%s ;;\n", name, command->name);
        else
            append_command(out, command);
    }
    buffer_text(out, foot);
    /* it may be sourced, or be a function of $fpath */
    buffer_printf(out,
                  "if [[ $funcstack[1] == _%s ]]; then\n    _%s \"$@\"\nelse\n"
                  "    compdef _%s %s\nfi\n",
                  name, name, name, name);
}
