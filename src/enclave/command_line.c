/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/command_line.h"

#include <stdio.h>

#include "base/log.h"

#define USAGE 2 /* the exit code */

static void print_help(const char *program, const char *nsm_help)
{
    printf("usage: %s [--config FILE] [--listen ADDRESS]\n"
           "Serves agents that open, change and seal states under a key that AWS KMS releases to\n"
           "this enclave's measurement.\n\n"
           "  --config FILE      the configuration (default " CONFIG_FILE_DEFAULT ")\n"
           "  --listen ADDRESS   where to listen, instead of the configured address\n"
           "%s"
           "  --check-config     read and check the configuration and its roots, then exit\n"
           "  --roots FILE       with --check-config: check these roots, not the configured file\n"
           "  --verbose          log more\n"
           "  --version          print the version\n"
           "  --help             print this\n\n"
           "Taken from the environment and wiped: ENCRYPTED_TSK (base64), AWS_ACCESS_KEY_ID,\n"
           "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.\n\n"
           "examples:\n"
           "  %s --config /etc/enclaved/enclaved.json\n"
           "  %s --config enclaved.json --check-config\n",
           program, nsm_help != NULL ? nsm_help : "", program, program);
}

/* What the arguments say. */
struct arguments {
    struct start_options options;
    bool has_nsm; /* whether --nsm is an option */
    bool help, version;
};

/* Takes an option and its value off argv; returns how many arguments, 0 if it is not an option. */
static int take(struct arguments *out, char **argv)
{
    const struct {
        const char *name;
        const char **value;
        bool *flag;
    } rows[] = {
        {"--config", &out->options.config, NULL},
        {"--listen", &out->options.listen, NULL},
        {"--roots", &out->options.roots, NULL},
        {"--nsm", out->has_nsm ? &out->options.nsm : NULL, NULL},
        {"--check-config", NULL, &out->options.check_only},
        {"--verbose", NULL, &out->options.verbose},
        {"--version", NULL, &out->version},
        {"--help", NULL, &out->help},
        {"-h", NULL, &out->help},
    };
    size_t len = strcspn(argv[0], "=");
    const char *joined = argv[0][len] == '=' ? argv[0] + len + 1 : NULL;
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (strlen(rows[i].name) != len || memcmp(argv[0], rows[i].name, len) != 0)
            continue;
        if (rows[i].flag != NULL && joined == NULL) {
            *rows[i].flag = true;
            return 1;
        }
        const char *value = joined != NULL ? joined : argv[1];
        if (rows[i].value == NULL || value == NULL)
            return 0;
        *rows[i].value = value;
        return joined != NULL ? 1 : 2;
    }
    return 0;
}

int command_line_run(int argc, char **argv, const struct platform *platform, const char *nsm_help)
{
    struct arguments a = {.options.config = CONFIG_FILE_DEFAULT, .has_nsm = nsm_help != NULL};
    if (!log_hold_descriptors())
        return 1; /* perhaps there is nowhere to say so */
    for (int i = 1, taken; i < argc; i += taken) {
        taken = take(&a, argv + i);
        if (taken > 0)
            continue;
        fprintf(stderr, "%s: unknown or incomplete argument %.60s; try %s --help\n",
                platform->program, argv[i], platform->program);
        return USAGE;
    }
    if (a.options.roots != NULL && !a.options.check_only) {
        /* What is trusted is configured, and so measured. */
        fprintf(stderr, "%s: --roots is for --check-config only; to serve, configure roots_file\n",
                platform->program);
        return USAGE;
    }
    if (a.help)
        print_help(platform->program, nsm_help);
    else if (a.version)
        printf("%s %s\n", platform->program, ENCLAVED_VERSION);
    else
        return enclaved_run(platform, &a.options);
    return 0;
}
