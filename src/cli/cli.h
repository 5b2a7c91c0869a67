/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines. A program is a table of commands, a command a table of options or of verbs, and an
 * option one row: its name, its kind and limits, its place in the command's own struct, and its
 * help. The command line, --help, `help`, "did you mean" and shell completion are read from these
 * tables, so an option is added by adding a row and a field.
 *
 *     struct greet { const char *name; int64_t times; };
 *     static const struct cli_option options[] = {
 *         CLI_TEXT("name", "NAME", struct greet, name, "who is greeted", .needed = true),
 *         CLI_INTEGER("times", "N", struct greet, times, 1, 9, "how often (default 1)"),
 *     };
 *     static const struct greet initial = {.times = 1};
 *     const struct cli_command command_greet = {
 *         .name = "greet", .summary = "say hello", .options = options,
 *         .option_count = ARRAY_LEN(options), .size = sizeof initial, .initial = &initial,
 *         .run = greet, …
 *     };
 *
 * Options are taken as --name VALUE and --name=VALUE, by their exact names, mixed with operands;
 * "--" ends them; -h and --help are known to every command. Of an option that is given repeatedly
 * and is not a list, the last one counts.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/error.h"

/* --- options --- */

enum cli_kind {
    CLI_KIND_FLAG,    /* bool */
    CLI_KIND_TEXT,    /* const char *, which points into argv */
    CLI_KIND_INTEGER, /* int64_t, uint32_t or size_t */
    CLI_KIND_SECONDS, /* int64_t, milliseconds; given in seconds */
    CLI_KIND_CHOICE, /* an enum: the first value, and one more for each name before the given one */
    CLI_KIND_PARSED, /* whatever the row's function makes of the text */
};

/* Where a value goes, and which values may. The CLI_ macros below fill it. */
struct cli_place {
    enum cli_kind kind;
    size_t offset;    /* of the field, or of a list's first element, in the command's struct */
    size_t size;      /* of the field or element */
    size_t most;      /* elements of a list; 0: not a list */
    size_t count;     /* a list: offset of its size_t, how many there are */
    int64_t min, max; /* of an integer, or of seconds; min: a choice's first value */
    const char *const *choices; /* NULL-terminated */
    bool (*parse)(void *place, const char *option, const char *text, struct error *err);
};

struct cli_option {
    const char *name; /* without the dashes */
    const char
        *argument; /* what the value is, for help; NULL: a flag. FILE and DIR are completed */
    const char *help;
    struct cli_place to;
    const char *old;      /* a former name that still works, with a note; NULL: none */
    const char *variable; /* the environment variable that is read where it is not given */
    const char *with;     /* the option without which it has no effect, and is refused */
    bool needed;          /* refused where it is missing */
    bool once;            /* refused where it is given twice */
    bool shared;          /* another row has the same place, and means to */
    /* Judges a text. ERROR_USAGE; option is the name as messages have it: "--name". */
    bool (*check)(const char *option, const char *text, struct error *err);
};

/* The offset of a field, which must have the type that its kind stores. */
#define CLI_FIELD(type, field, wanted) \
    (offsetof(type, field) + 0 * sizeof(1 ? &((type *)0)->field : (wanted *)0))
#define CLI_SIZE(type, field) sizeof(((type *)0)->field)
#define CLI_INTEGER_SIZE(type, field) \
    _Generic(((type *)0)->field, int64_t : 8u, uint32_t : 4u, size_t : sizeof(size_t))
#define CLI_LIST_OF(type, field, number) \
    .most = ARRAY_LEN(((type *)0)->field), .count = CLI_FIELD(type, number, size_t)

/* Each: name, argument, struct, field, …, help, and what else a row may say (.needed = true). */
#define CLI_FLAG(option, type, field, text, ...)                                          \
    {                                                                                     \
        .name = (option), .help = (text),                                                 \
        .to = {.kind = CLI_KIND_FLAG, .offset = CLI_FIELD(type, field, bool), .size = 1}, \
        __VA_ARGS__                                                                       \
    }
#define CLI_TEXT(option, label, type, field, text, ...)        \
    {                                                          \
        .name = (option), .argument = (label), .help = (text), \
        .to = {.kind = CLI_KIND_TEXT,                          \
               .offset = CLI_FIELD(type, field, const char *), \
               .size = sizeof(const char *)},                  \
        __VA_ARGS__                                            \
    }
#define CLI_TEXTS(option, label, type, field, number, text, ...)  \
    {                                                             \
        .name = (option), .argument = (label), .help = (text),    \
        .to = {.kind = CLI_KIND_TEXT,                             \
               .offset = CLI_FIELD(type, field[0], const char *), \
               .size = sizeof(const char *),                      \
               CLI_LIST_OF(type, field, number)},                 \
        __VA_ARGS__                                               \
    }
#define CLI_INTEGER(option, label, type, field, least, greatest, text, ...) \
    {                                                                       \
        .name = (option), .argument = (label), .help = (text),              \
        .to = {.kind = CLI_KIND_INTEGER,                                    \
               .offset = offsetof(type, field),                             \
               .size = CLI_INTEGER_SIZE(type, field),                       \
               .min = (least),                                              \
               .max = (greatest)},                                          \
        __VA_ARGS__                                                         \
    }
#define CLI_INTEGERS(option, label, type, field, number, least, greatest, text, ...) \
    {                                                                                \
        .name = (option), .argument = (label), .help = (text),                       \
        .to = {.kind = CLI_KIND_INTEGER,                                             \
               .offset = offsetof(type, field),                                      \
               .size = CLI_INTEGER_SIZE(type, field[0]),                             \
               .min = (least),                                                       \
               .max = (greatest),                                                    \
               CLI_LIST_OF(type, field, number)},                                    \
        __VA_ARGS__                                                                  \
    }
#define CLI_SECONDS(option, type, field, least, greatest, text, ...) \
    {                                                                \
        .name = (option), .argument = "SECONDS", .help = (text),     \
        .to = {.kind = CLI_KIND_SECONDS,                             \
               .offset = CLI_FIELD(type, field, int64_t),            \
               .size = sizeof(int64_t),                              \
               .min = (least),                                       \
               .max = (greatest)},                                   \
        __VA_ARGS__                                                  \
    }
#define CLI_CHOICE(option, label, type, field, names, first, text, ...) \
    {                                                                   \
        .name = (option), .argument = (label), .help = (text),          \
        .to = {.kind = CLI_KIND_CHOICE,                                 \
               .offset = CLI_FIELD(type, field, unsigned),              \
               .size = sizeof(unsigned),                                \
               .choices = (names),                                      \
               .min = (first)},                                         \
        __VA_ARGS__                                                     \
    }
#define CLI_PARSED(option, label, type, field, function, text, ...) \
    {                                                               \
        .name = (option), .argument = (label), .help = (text),      \
        .to = {.kind = CLI_KIND_PARSED,                             \
               .offset = offsetof(type, field),                     \
               .size = CLI_SIZE(type, field),                       \
               .parse = (function)},                                \
        __VA_ARGS__                                                 \
    }
#define CLI_PARSED_LIST(option, label, type, field, number, function, text, ...) \
    {                                                                            \
        .name = (option), .argument = (label), .help = (text),                   \
        .to = {.kind = CLI_KIND_PARSED,                                          \
               .offset = offsetof(type, field),                                  \
               .size = CLI_SIZE(type, field[0]),                                 \
               .parse = (function),                                              \
               CLI_LIST_OF(type, field, number)},                                \
        __VA_ARGS__                                                              \
    }

#define CLI_OPTIONS_MAX 32 /* of one command */

/* --- commands --- */

struct cli_command {
    const char *name;
    const char *summary;  /* a line of the program's help */
    const char *synopsis; /* after "PROGRAM NAME " */
    const char *about;    /* lines of text */
    const char *more;     /* further lines, after the options; NULL: none */
    const char *examples; /* lines, each indented by two */

    /* A command has verbs, or what follows them. */
    const struct cli_command *const *verbs;
    size_t verb_count;

    const struct cli_option *options; /* --help is not listed: every command has it */
    size_t option_count;
    const struct cli_option *operand; /* the row of its operands, the name being NULL; NULL: none */
    bool private_operands;            /* an operand too many may be a secret: it is not repeated */
    size_t size;                      /* of the command's struct */
    const void *initial; /* what that holds before the command line is read; NULL: zeros */
    /* Judges the whole. ERROR_USAGE, and its like; NULL: nothing to judge. */
    bool (*check)(void *options, struct error *err);
    /* Does it; returns the exit code. options lives until then. */
    int (*run)(void *options);
};

struct cli_exit {
    int code;
    const char *meaning;
};

struct cli_program {
    const char *name;
    const char *version;
    const char *about; /* lines of text */
    const char *more;  /* further lines, after the commands; NULL: none */
    const struct cli_command *const *commands;
    size_t command_count;
    const struct cli_exit *exits;
    size_t exit_count;
    int unread; /* the exit code where the reader of standard output has gone */
    /* Prepares the process for a command. NULL: nothing to prepare. */
    bool (*start)(struct error *err);
    /* Reports that a command line was refused and returns the exit code. json: --json was given,
     * wherever. remedy may be NULL. */
    int (*refuse)(const struct error *err, const char *remedy, bool json);
};

/* Reads the command line and runs what it asks for. Returns the exit code. */
int cli_main(const struct cli_program *program, int argc, char **argv);

/* What every program lists after its own commands. */
extern const struct cli_command cli_help_command, cli_version_command, cli_completion_command;

#define CLI_EXIT_USAGE 2 /* in every program: the command line was not understood */

/* --- for functions of rows --- */

/* Reads a decimal integer of min..max. ERROR_USAGE names what. */
MUST_USE bool cli_integer(const char *what, const char *text, int64_t min, int64_t max,
                          int64_t *out, struct error *err);

#endif
