/* SPDX-License-Identifier: Apache-2.0 */
/* The completion script for bash. */
#include "cli/cli_internal.h"

static const char head[] =
    "{\n"
    "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "    local command=${COMP_WORDS[1]} kind='' words=''\n"
    "    # bash takes --option=VALUE for three words\n"
    "    if [[ $current == '=' ]]; then\n"
    "        current=''\n"
    "    elif [[ $before == '=' ]]; then\n"
    "        before=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "    fi\n";

static const char tail[] =
    "    COMPREPLY=()\n"
    "    case $kind in\n"
    "    file | folder)\n"
    "        [[ $kind == file ]] && kind=-f || kind=-d\n"
    "        mapfile -t COMPREPLY < <(compgen \"$kind\" -- \"$current\")\n"
    "        compopt -o filenames 2>/dev/null\n"
    "        ;;\n"
    "    *) mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\") ;;\n"
    "    esac\n"
    "}\n";

static void append_choices(struct buffer *out, const char *const *choices)
{
    buffer_text(out, "words='");
    for (size_t i = 0; choices[i] != NULL; i++)
        buffer_printf(out, "%s%s", i == 0 ? "" : " ", choices[i]);
    buffer_text(out, "' ");
}

/* What a value may be; where that is anything, nothing is offered. */
static void append_value(struct buffer *out, const struct cli_option *option)
{
    if (option->to.kind == CLI_KIND_CHOICE)
        append_choices(out, option->to.choices);
    else if (cli_is_file(option))
        buffer_text(out, "kind='file' ");
    else if (cli_is_folder(option))
        buffer_text(out, "kind='folder' ");
}

/* Whether something can be offered for an operand. */
static bool is_completed(const struct cli_option *operand)
{
    return operand != NULL &&
           (operand->to.kind == CLI_KIND_CHOICE || cli_is_file(operand) || cli_is_folder(operand));
}

/* The words after a command: values after options that take one, else options and operands. */
static void append_command(struct buffer *out, const char *name, const struct cli_command *command)
{
    const struct cli_option *option;
    buffer_printf(out, "    '%s')\n        case $before in\n", name);
    for (size_t i = 0; i < command->option_count; i++) {
        option = &command->options[i];
        if (option->argument == NULL)
            continue;
        buffer_printf(out, "        --%s) ", option->name);
        append_value(out, option);
        buffer_text(out, ";;\n");
    }
    buffer_text(out, "        *)\n            words='");
    for (size_t i = 0; (option = cli_option_at(command, i)) != NULL; i++)
        buffer_printf(out, "%s--%s", i == 0 ? "" : " ", option->name);
    buffer_text(out, "'\n");
    if (is_completed(command->operand)) {
        buffer_text(out, "            [[ $current == -* ]] || ");
        append_value(out, command->operand);
        buffer_byte(out, '\n');
    }
    buffer_text(out, "            ;;\n        esac\n        ;;\n");
}

static void append_names(struct buffer *out, const struct cli_program *program,
                         const struct cli_command *group)
{
    const struct cli_command *command;
    buffer_text(out, "words='");
    if (group == NULL) {
        for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
            buffer_printf(out, "%s ", command->name);
        buffer_text(out, "--help --version'");
        return;
    }
    for (size_t i = 0; i < group->verb_count; i++)
        buffer_printf(out, "%s ", group->verbs[i]->name);
    buffer_text(out, "--help'");
}

/* Settles which command it is. `help` is followed by a command and a verb, and by no option. */
static void append_search(struct buffer *out, const struct cli_program *program)
{
    const struct cli_command *command;
    BUFFER_AUTO groups;
    buffer_init(&groups, CLI_NAME_SIZE);
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
        if (command->verb_count > 0)
            buffer_printf(&groups, "%s%s", groups.len == 0 ? "" : " | ", command->name);
    if (groups.len > 0) {
        buffer_text(out, "    case $command in\n    ");
        buffer_append(out, buffer_bytes(&groups));
        buffer_text(out, ") ((COMP_CWORD < 3)) || command+=\" ${COMP_WORDS[2]}\" ;;\n");
        buffer_text(out, "    help)\n"
                         "        case $COMP_CWORD,${COMP_WORDS[2]} in\n"
                         "        2,*) command='?' ;;\n        ");
        for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
            if (command->verb_count > 0)
                buffer_printf(out, "3,%s) command=%s ;;\n        ", command->name, command->name);
        buffer_text(out, "*) return ;;\n        esac\n        ;;\n    esac\n");
    } else {
        buffer_text(out, "    [[ $command != help ]] || command='?'\n");
    }
    buffer_text(out, "    ((COMP_CWORD > 1)) || command='?'\n"
                     "    case $command in\n"
                     "    '?') ");
    append_names(out, program, NULL);
    buffer_text(out, " ;;\n");
}

void cli_complete_bash(const struct cli_program *program, struct buffer *out)
{
    const struct cli_command *command;
    buffer_printf(out, "# Completion of %s for bash, made by `%s completion bash`.\n_%s()\n",
                  program->name, program->name, program->name);
    buffer_text(out, head);
    append_search(out, program);
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++) {
        if (command->verb_count == 0) {
            append_command(out, command->name, command);
            continue;
        }
        buffer_printf(out, "    %s) ", command->name);
        append_names(out, program, command);
        buffer_text(out, " ;;\n");
        for (size_t k = 0; k < command->verb_count; k++) {
            BUFFER_AUTO name;
            buffer_init(&name, CLI_NAME_SIZE);
            buffer_printf(&name, "%s %s", command->name, command->verbs[k]->name);
            buffer_byte(&name, 0);
            if (!name.failed)
                append_command(out, (const char *)name.at, command->verbs[k]);
        }
    }
    buffer_text(out, "    esac\n");
    buffer_text(out, tail);
    buffer_printf(out, "complete -F _%s %s\n", program->name, program->name);
}
