/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command lines: every command states its options in a table, from which the arguments are read and
 * --help is printed. The options that many commands share are read here.
 */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include "base/error.h"

#define OPTIONS_MAX         24
#define OPTIONS_SECONDS_MAX 86400 /* longest time limit, a day */

/*
 * The service's address without --to and $ENCLAVED_ADDRESS: the first CID that nitro-cli gives to
 * an enclave, and the port of the reference program.
 */
#define DEFAULT_ADDRESS "vsock:16:5000"

/* What every command understands, as far as its table lists it. */
struct common {
    const char *command;
    const char *to; /* --to, else $ENCLAVED_ADDRESS, else DEFAULT_ADDRESS */
    bool to_given;  /* not the default */
    bool json;
    int64_t timeout_ms; /* set by the command to its default before parsing */
};

struct option_spec {
    const char *name;
    const char *argument; /* NULL: a flag */
    const char *help;
};

#define OPTION_TO                                                                           \
    {                                                                                       \
        "to", "ADDRESS", "where enclaved listens: vsock:CID:PORT, tcp:HOST:PORT, unix:PATH" \
    }
#define OPTION_JSON                                   \
    {                                                 \
        "json", NULL, "print JSON, also for failures" \
    }
#define OPTION_TIMEOUT                                         \
    {                                                          \
        "timeout", "SECONDS", "the time limit of one exchange" \
    }
#define OPTION_HELP                     \
    {                                   \
        "help", NULL, "print this help" \
    }

struct command_help {
    const char *name;
    const char *synopsis; /* behind "enclavectl NAME " */
    const char *about;
    const struct option_spec *options;
    size_t option_count;
    bool own_to;          /* --to is no address of enclaved: the command takes it itself */
    const char *examples; /* lines, each indented by two */
};

/*
 * Takes an option that is not a common one (name from the table; value NULL for a flag), or an
 * operand (name NULL). False with *err (ERROR_USAGE) if it is wrong.
 */
typedef bool (*option_handler)(void *context, const char *name, const char *value,
                               struct error *err);

#define OPTIONS_GO_ON (-1)

/* Returns OPTIONS_GO_ON, or the exit code to end with: after --help, or a failure already told. */
MUST_USE int options_parse(const struct command_help *help, int argc, char **argv,
                           struct common *common, option_handler handle, void *context);

/* Reads a decimal integer of min..max. ERROR_USAGE names what. */
MUST_USE bool options_integer(const char *what, const char *text, int64_t min, int64_t max,
                              int64_t *out, struct error *err);

#endif
