/* SPDX-License-Identifier: Apache-2.0 */
#include "host/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "host/report.h"

static void print_help(const struct command_help *help)
{
    printf("usage: enclavectl %s %s\n\n%s\n\noptions:\n", help->name, help->synopsis, help->about);
    for (size_t i = 0; i < help->option_count; i++) {
        const struct option_spec *spec = &help->options[i];
        char left[48];
        snprintf(left, sizeof left, "--%s%s%s", spec->name, spec->argument != NULL ? " " : "",
                 spec->argument != NULL ? spec->argument : "");
        printf("  %-26s %s\n", left, spec->help);
    }
    printf("\nexamples:\n%s", help->examples);
    printf("\nexit codes:\n");
#define PRINT_EXIT(id, code, text) printf("  %d  %s\n", code, text);
    EXIT_CODES(PRINT_EXIT)
#undef PRINT_EXIT
}

bool options_integer(const char *what, const char *text, int64_t min, int64_t max, int64_t *out,
                     struct error *err)
{
    int64_t value = 0;
    size_t digits = 0;
    for (; text[digits] >= '0' && text[digits] <= '9' && digits < 15; digits++)
        value = value * 10 + (text[digits] - '0');
    if (digits == 0 || text[digits] != '\0' || value < min || value > max)
        return error_set(err, ERROR_USAGE, "%s must be an integer from %lld to %lld", what,
                         (long long)min, (long long)max);
    *out = value;
    return true;
}

/* Takes one of the options that commands share. *known tells whether it was one. */
static bool take_common(struct common *common, const struct command_help *help, const char *name,
                        const char *value, bool *known, struct error *err)
{
    *known = true;
    if (strcmp(name, "json") == 0) {
        common->json = true;
        return true;
    }
    if (strcmp(name, "to") == 0 && !help->own_to) {
        common->to = value;
        common->to_given = true;
        return true;
    }
    if (strcmp(name, "timeout") == 0) {
        int64_t seconds = 0;
        if (!options_integer("--timeout", value, 1, OPTIONS_SECONDS_MAX, &seconds, err))
            return false;
        common->timeout_ms = seconds * 1000;
        return true;
    }
    *known = false;
    return true;
}

static int usage_failure(const struct common *common, const struct error *err)
{
    char remedy[80];
    snprintf(remedy, sizeof remedy, "see enclavectl %s --help", common->command);
    return report_failure_with(common, err, remedy);
}

static void start_common(struct common *common, const struct command_help *help)
{
    const char *from = getenv("ENCLAVED_ADDRESS");
    common->command = help->name;
    common->to_given = from != NULL && from[0] != '\0';
    common->to = common->to_given ? from : DEFAULT_ADDRESS;
}

/* A failure must be told as JSON even when --json stands behind the option that is wrong. */
static void look_ahead(struct common *common, int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0)
            common->json = true;
}

int options_parse(const struct command_help *help, int argc, char **argv, struct common *common,
                  option_handler handle, void *context)
{
    struct option table[OPTIONS_MAX + 1] = {0};
    for (size_t i = 0; i < help->option_count && i < OPTIONS_MAX; i++)
        table[i] = (struct option){.name = help->options[i].name,
                                   .has_arg = help->options[i].argument != NULL,
                                   .val = 256 + (int)i};
    start_common(common, help);
    look_ahead(common, argc, argv);
    struct error err = {0};
    opterr = 0;
    optind = 1;
    int found;
    while ((found = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
        const char *given = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        if (found == ':')
            error_set(&err, ERROR_USAGE, "%.60s needs an argument", given);
        else if (found != 'h' && found < 256) /* the value may be a secret: only the name is told */
            error_set(&err, ERROR_USAGE, "unknown or ambiguous option %.*s",
                      (int)(strcspn(given, "=") > 40 ? 40 : strcspn(given, "=")), given);
        if (err.code != ERROR_NONE)
            return usage_failure(common, &err);
        const char *name = found == 'h' ? "help" : help->options[found - 256].name;
        if (strcmp(name, "help") == 0) {
            print_help(help);
            return EXIT_OK;
        }
        bool known;
        if (!take_common(common, help, name, optarg, &known, &err) ||
            (!known && !handle(context, name, optarg, &err)))
            return usage_failure(common, &err);
    }
    for (int i = optind; i < argc; i++)
        if (!handle(context, NULL, argv[i], &err))
            return usage_failure(common, &err);
    return OPTIONS_GO_ON;
}
