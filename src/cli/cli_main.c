/* SPDX-License-Identifier: Apache-2.0 */
/* Which command is meant, and the commands that every program lists. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/cli_internal.h"

#define TEXT_MAX (1u << 20) /* bytes of help, or of a script */

/* --- the tree --- */

static const struct cli_command *find_command(const struct cli_program *program, const char *name)
{
    const struct cli_command *command;
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

static const struct cli_command *find_verb(const struct cli_command *group, const char *name)
{
    for (size_t i = 0; i < group->verb_count; i++)
        if (strcmp(group->verbs[i]->name, name) == 0)
            return group->verbs[i];
    return NULL;
}

/* --- messages --- */

static int refuse(const struct cli_call *call, const struct error *err, const char *similar,
                  bool json)
{
    char name[CLI_NAME_SIZE], remedy[2 * CLI_NAME_SIZE];
    cli_call_name(call, name);
    if (similar != NULL)
        snprintf(remedy, sizeof remedy, "did you mean %s?", similar);
    else
        snprintf(remedy, sizeof remedy, "see %s %s%s--help", call->program->name, name,
                 name[0] == '\0' ? "" : " ");
    return call->program->refuse(err, remedy, json);
}

/* Prints to standard output, and reports where that fails; a reader that has gone (`| head`) is no
 * failure to report. */
static int print(const struct cli_program *program, const struct buffer *text)
{
    struct error err;
    if (!text->failed && fwrite(text->at, 1, text->len, stdout) == text->len && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    if (errno == EPIPE)
        return program->unread;
    error_set_errno(&err, ERROR_SYSTEM, "standard output cannot be written");
    return program->refuse(&err, NULL, false);
}

static int print_help(const struct cli_call *call)
{
    BUFFER_AUTO text;
    buffer_init(&text, TEXT_MAX);
    cli_help(call, &text);
    return print(call->program, &text);
}

/* A command is missing: the help that names them, for the user to read and not for a pipe. */
static int complain(const struct cli_call *call)
{
    BUFFER_AUTO text;
    buffer_init(&text, TEXT_MAX);
    cli_help(call, &text);
    if (!text.failed)
        (void)!fwrite(text.at, 1, text.len, stderr);
    return CLI_EXIT_USAGE;
}

static int refuse_command(const struct cli_call *call, const char *word, bool json)
{
    struct error err;
    const struct cli_command *group = call->command;
    size_t len = strcspn(word, "=");
    if (word[0] == '-')
        error_set(&err, ERROR_USAGE, "%.*s comes before the %s: options come after it",
                  (int)(len < CLI_NAME_SHOWN ? len : CLI_NAME_SHOWN), word,
                  group == NULL ? "command" : "verb");
    else if (group != NULL)
        error_set(&err, ERROR_USAGE, "%s has no verb %.60s", group->name, word);
    else
        error_set(&err, ERROR_USAGE, "unknown command %.60s", word);
    const char *similar =
        group == NULL ? cli_similar_command(call->program, word) : cli_similar_verb(group, word);
    char full[CLI_NAME_SIZE];
    if (similar != NULL && group != NULL) {
        snprintf(full, sizeof full, "%s %s", group->name, similar);
        similar = full;
    }
    return refuse(call, &err, similar, json);
}

/* --- commands of every program --- */

enum shell { SHELL_BASH, SHELL_ZSH, SHELL_FISH };
static const char *const shells[] = {"bash", "zsh", "fish", NULL};

/* The struct of all of them. */
struct built_in {
    const struct cli_program *program;
    const char *words[2];
    size_t word_count;
    enum shell shell;
};

static int run_help(void *options)
{
    const struct built_in *b = options;
    struct cli_call call = {.program = b->program};
    for (size_t i = 0; i < b->word_count; i++) {
        const struct cli_command *found = call.command == NULL
                                              ? find_command(b->program, b->words[i])
                                              : find_verb(call.command, b->words[i]);
        if (found == NULL)
            return refuse_command(&call, b->words[i], false);
        call = (struct cli_call){b->program, call.command, found};
    }
    return print_help(&call);
}

static int run_version(void *options)
{
    const struct cli_program *program = ((const struct built_in *)options)->program;
    BUFFER_AUTO text;
    buffer_init(&text, TEXT_MAX);
    buffer_printf(&text, "%s %s\n", program->name, program->version);
    return print(program, &text);
}

static int run_completion(void *options)
{
    static void (*const writers[])(const struct cli_program *, struct buffer *) = {
        cli_complete_bash, cli_complete_zsh, cli_complete_fish};
    const struct built_in *b = options;
    BUFFER_AUTO text;
    buffer_init(&text, TEXT_MAX);
    writers[b->shell](b->program, &text);
    return print(b->program, &text);
}

static const struct cli_option help_operand =
    CLI_TEXTS(NULL, "COMMAND", struct built_in, words, word_count, "a command, and a verb of it");
const struct cli_command cli_help_command = {
    .name = "help",
    .summary = "show the options and examples of a command",
    .synopsis = "[COMMAND [VERB]]",
    .about = "Prints what --help prints after the same words.",
    .operand = &help_operand,
    .size = sizeof(struct built_in),
    .run = run_help,
};

const struct cli_command cli_version_command = {
    .name = "version",
    .summary = "print the version",
    .synopsis = "",
    .about = "Prints the program's name and its version; so does --version in place of a command.",
    .size = sizeof(struct built_in),
    .run = run_version,
};

static const struct cli_option completion_operand = CLI_CHOICE(
    NULL, "SHELL", struct built_in, shell, shells, SHELL_BASH, "bash, zsh or fish", .needed = true);
const struct cli_command cli_completion_command = {
    .name = "completion",
    .summary = "print the completion of these commands for a shell",
    .synopsis = "bash|zsh|fish",
    .about =
        "Prints a script for the shell. It completes commands, verbs, options, the values among\n"
        "which an option chooses, and files.\n"
        "\n"
        "  bash  source <(PROGRAM completion bash)       in ~/.bashrc\n"
        "  zsh   source <(PROGRAM completion zsh)        in ~/.zshrc, after compinit\n"
        "  fish  PROGRAM completion fish | source        in ~/.config/fish/config.fish",
    .operand = &completion_operand,
    .size = sizeof(struct built_in),
    .run = run_completion,
};

static bool is_built_in(const struct cli_command *command)
{
    return command == &cli_help_command || command == &cli_version_command ||
           command == &cli_completion_command;
}

/* --- running --- */

/* A failure must be reported as JSON even where --json comes after the option that is wrong. */
static bool wants_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            return true;
    return false;
}

static int run_with(const struct cli_call *call, int argc, char **argv, void *options, bool json)
{
    struct cli_outcome outcome;
    struct error err = {0};
    if (!cli_parse(call, argc, argv, options, &outcome, &err)) {
        char similar[CLI_NAME_SIZE];
        snprintf(similar, sizeof similar, "--%s", outcome.similar != NULL ? outcome.similar : "");
        return refuse(call, &err, outcome.similar != NULL ? similar : NULL, json);
    }
    if (outcome.wants_help)
        return print_help(call);
    if (is_built_in(call->command))
        ((struct built_in *)options)->program = call->program;
    return call->command->run(options);
}

static int run_command(const struct cli_call *call, int argc, char **argv, bool json)
{
    struct error err = {0};
    if (!is_built_in(call->command) && call->program->start != NULL && !call->program->start(&err))
        return call->program->refuse(&err, NULL, json);
    void *options = calloc(1, call->command->size + 1);
    if (options == NULL) {
        error_code(&err, ERROR_MEMORY);
        return call->program->refuse(&err, NULL, json);
    }
    int code = run_with(call, argc, argv, options, json);
    free(options);
    return code;
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

/* What every command counts on, however the program was started. */
static bool start_process(struct error *err)
{
    signal(SIGPIPE, SIG_IGN);
    return log_hold_descriptors() ||
           error_set_errno(err, ERROR_SYSTEM,
                           "/dev/null cannot be opened in place of a closed "
                           "standard input, output or error");
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
    struct cli_call call = {.program = program};
    struct error err;
    bool json = wants_json(argc, argv);
    if (!start_process(&err))
        return program->refuse(&err, NULL, json);
    if (argc > 1 && strcmp(argv[1], "--version") == 0)
        return run_command(&(struct cli_call){program, NULL, &cli_version_command}, 0, NULL, json);
    /* the words that lead to what can be run: a command, or a command and its verb */
    for (int i = 1; i < argc; i++) {
        if (is_help(argv[i]))
            return print_help(&call);
        const struct cli_command *found = call.command == NULL ? find_command(program, argv[i])
                                                               : find_verb(call.command, argv[i]);
        if (found == NULL)
            return refuse_command(&call, argv[i], json);
        call = (struct cli_call){program, call.command, found};
        if (found->verb_count == 0)
            return run_command(&call, argc - i - 1, argv + i + 1, json);
    }
    return complain(&call);
}
