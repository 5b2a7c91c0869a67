/* SPDX-License-Identifier: Apache-2.0 */
/* From arguments to a command's struct. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli_internal.h"

/* One reading of a command line. */
struct reading {
    const struct cli_call *call;
    unsigned char *options; /* the command's struct */
    struct cli_outcome *outcome;
    bool given[CLI_OPTIONS_MAX]; /* by row */
    bool operand_given;
};

/* --- values --- */

bool cli_integer(const char *what, const char *text, int64_t min, int64_t max, int64_t *out,
                 struct error *err)
{
    bool negative = min < 0 && text[0] == '-';
    const char *digits = text + (negative ? 1 : 0);
    int64_t value = 0;
    size_t n = 0;
    for (; digits[n] >= '0' && digits[n] <= '9' && n < 15; n++)
        value = value * 10 + (digits[n] - '0');
    value = negative ? -value : value;
    if (n == 0 || digits[n] != '\0' || value < min || value > max)
        return error_set(err, ERROR_USAGE, "%s must be an integer from %lld to %lld", what,
                         (long long)min, (long long)max);
    *out = value;
    return true;
}

static bool store_integer(const struct cli_place *to, void *place, const char *name,
                          const char *text, struct error *err)
{
    int64_t value;
    if (!cli_integer(name, text, to->min, to->max, &value, err))
        return false;
    if (to->kind == CLI_KIND_SECONDS)
        value *= 1000;
    const uint32_t narrow = (uint32_t)value;
    memcpy(place, to->size == sizeof narrow ? (const void *)&narrow : &value, to->size);
    return true;
}

/* "a, b or c" */
static void append_choices(struct buffer *out, const char *const *choices)
{
    for (size_t i = 0; choices[i] != NULL; i++) {
        if (i > 0)
            buffer_text(out, choices[i + 1] == NULL ? " or " : ", ");
        buffer_text(out, choices[i]);
    }
}

static bool store_choice(const struct cli_place *to, void *place, const char *name,
                         const char *text, struct error *err)
{
    for (unsigned i = 0; to->choices[i] != NULL; i++) {
        const unsigned value = (unsigned)to->min + i;
        if (strcmp(text, to->choices[i]) != 0)
            continue;
        memcpy(place, &value, sizeof value);
        return true;
    }
    BUFFER_AUTO choices;
    buffer_init(&choices, ERROR_CAUSE_SIZE);
    append_choices(&choices, to->choices);
    return error_set(err, ERROR_USAGE, "%s is %.*s", name, (int)choices.len,
                     (const char *)choices.at);
}

/* Puts a value where it belongs; name is what messages call the option. */
static bool store(const struct cli_place *to, void *place, const char *name, const char *text,
                  struct error *err)
{
    static const bool yes = true;
    switch (to->kind) {
    case CLI_KIND_FLAG:
        memcpy(place, &yes, sizeof yes);
        return true;
    case CLI_KIND_TEXT:
        memcpy(place, &text, sizeof text);
        return true;
    case CLI_KIND_INTEGER:
    case CLI_KIND_SECONDS:
        return store_integer(to, place, name, text, err);
    case CLI_KIND_CHOICE:
        return store_choice(to, place, name, text, err);
    case CLI_KIND_PARSED:
        return to->parse(place, name, text, err);
    }
    return error_code(err, ERROR_INTERNAL);
}

/* Takes one value of a row, as the next element where that is a list. */
static bool take(struct reading *reading, const struct cli_option *row, const char *name,
                 const char *text, struct error *err)
{
    const struct cli_place *to = &row->to;
    size_t *count = to->most == 0 ? NULL : (size_t *)(void *)(reading->options + to->count);
    if (count != NULL && *count == to->most && row->name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", text);
    if (count != NULL && *count == to->most)
        return error_set(err, ERROR_USAGE, "at most %zu times %s", to->most, name);
    if (row->check != NULL && !row->check(name, text, err))
        return false;
    void *place = reading->options + to->offset + (count == NULL ? 0 : *count * to->size);
    if (!store(to, place, name, text, err))
        return false;
    if (count != NULL)
        ++*count;
    return true;
}

/* --- names --- */

static const struct cli_command *command_of(const struct reading *reading)
{
    return reading->call->command;
}

static void note_old_name(const struct reading *reading, const struct cli_option *row)
{
    fprintf(stderr, "%s: --%s is now --%s; the old name goes with the next version\n",
            reading->call->program->name, row->old, row->name);
}

/* The row of an option by its exact name, or by its former one. NULL: there is none. */
static const struct cli_option *find(const struct reading *reading, struct bytes name)
{
    const struct cli_command *command = command_of(reading);
    for (size_t i = 0; i < command->option_count; i++)
        if (bytes_equal_text(name, command->options[i].name))
            return &command->options[i];
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *row = &command->options[i];
        if (row->old != NULL && bytes_equal_text(name, row->old)) {
            if (!reading->given[i]) /* once is enough */
                note_old_name(reading, row);
            return row;
        }
    }
    return NULL;
}

/* The value of an unknown option may be a secret: only its name is repeated. */
static bool unknown(const struct reading *reading, const char *given, struct error *err)
{
    int len = (int)strcspn(given, "=");
    struct bytes name = bytes_of(given, (size_t)len);
    if (len > 2 && memcmp(given, "--", 2) == 0)
        reading->outcome->similar = cli_similar_option(command_of(reading), bytes_from(name, 2));
    return error_set(err, ERROR_USAGE, "unknown option %.*s",
                     len < CLI_NAME_SHOWN ? len : CLI_NAME_SHOWN, given);
}

/* --- arguments --- */

/* argv[*i] is --name or --name=VALUE; in the first case the value may be the next one. */
static bool read_option(struct reading *reading, int argc, char **argv, int *i, struct error *err)
{
    const char *given = argv[*i];
    const char *equals = strchr(given, '=');
    size_t len = equals == NULL ? strlen(given) : (size_t)(equals - given);
    const struct cli_option *row = find(reading, bytes_of(given + 2, len - 2));
    char name[CLI_NAME_SHOWN + 3];
    if (row == NULL)
        return unknown(reading, given, err);
    snprintf(name, sizeof name, "--%s", row->name);
    bool *seen = &reading->given[row - command_of(reading)->options];
    if (*seen && row->once)
        return error_set(err, ERROR_USAGE, "%s is given twice", name);
    *seen = true;
    if (row->argument == NULL)
        return equals == NULL ? take(reading, row, name, NULL, err)
                              : error_set(err, ERROR_USAGE, "%s takes no value", name);
    if (equals == NULL && *i + 1 == argc)
        return error_set(err, ERROR_USAGE, "%s needs a value: %s", name, row->argument);
    return take(reading, row, name, equals != NULL ? equals + 1 : argv[++*i], err);
}

static bool read_operand(struct reading *reading, const char *text, struct error *err)
{
    const struct cli_command *command = command_of(reading);
    const struct cli_option *row = command->operand;
    if (row != NULL && (row->to.most > 0 || !reading->operand_given)) {
        reading->operand_given = true;
        return take(reading, row, row->argument, text, err);
    }
    if (row != NULL && strcmp(text, row->argument) == 0) /* the operand is a word, such as - */
        return error_set(err, ERROR_USAGE, "%s is given twice", row->argument);
    if (command->private_operands && row != NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument: %s takes %s and options only",
                         command->name, row->argument);
    if (command->private_operands)
        return error_set(err, ERROR_USAGE, "unexpected argument: %s takes options only",
                         command->name);
    return error_set(err, ERROR_USAGE, "unexpected argument %.60s", text);
}

static bool read_arguments(struct reading *reading, int argc, char **argv, struct error *err)
{
    bool options = true; /* until -- */
    for (int i = 0; i < argc; i++) {
        const char *text = argv[i];
        bool good = true;
        if (!options || text[0] != '-' || text[1] == '\0')
            good = read_operand(reading, text, err);
        else if (strcmp(text, "--") == 0)
            options = false;
        else if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0)
            return reading->outcome->wants_help = true;
        else if (text[1] == '-')
            good = read_option(reading, argc, argv, &i, err);
        else
            good = unknown(reading, text, err);
        if (!good)
            return false;
    }
    return true;
}

/* --- the whole --- */

static bool take_variables(struct reading *reading, struct error *err)
{
    const struct cli_command *command = command_of(reading);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *row = &command->options[i];
        const char *text = row->variable == NULL ? NULL : getenv(row->variable);
        if (text != NULL && text[0] != '\0' && !reading->given[i] &&
            !take(reading, row, row->variable, text, err))
            return false;
    }
    return true;
}

static bool check_needed(const struct reading *reading, struct error *err)
{
    const struct cli_command *command = command_of(reading);
    char name[CLI_NAME_SIZE];
    cli_call_name(reading->call, name);
    if (command->operand != NULL && command->operand->needed && !reading->operand_given)
        return error_set(err, ERROR_USAGE, "%s needs %s", name, command->operand->argument);
    for (size_t i = 0; i < command->option_count; i++)
        if (command->options[i].needed && !reading->given[i])
            return error_set(err, ERROR_USAGE, "%s needs --%s %s", name, command->options[i].name,
                             command->options[i].argument);
    return true;
}

static bool is_given(const struct reading *reading, const char *name)
{
    const struct cli_command *command = command_of(reading);
    for (size_t i = 0; i < command->option_count; i++)
        if (strcmp(command->options[i].name, name) == 0)
            return reading->given[i];
    return false;
}

/* An option that would be ignored is refused: the user expects something of it. */
static bool check_effects(const struct reading *reading, struct error *err)
{
    const struct cli_command *command = command_of(reading);
    for (size_t i = 0; i < command->option_count; i++) {
        const struct cli_option *row = &command->options[i];
        if (reading->given[i] && row->with != NULL && !is_given(reading, row->with))
            return error_set(err, ERROR_USAGE, "--%s has no effect without --%s", row->name,
                             row->with);
    }
    return true;
}

bool cli_parse(const struct cli_call *call, int argc, char **argv, void *options,
               struct cli_outcome *outcome, struct error *err)
{
    const struct cli_command *command = call->command;
    struct reading reading = {.call = call, .options = options, .outcome = outcome};
    *outcome = (struct cli_outcome){0};
    if (command->initial != NULL)
        memcpy(options, command->initial, command->size);
    else if (command->size > 0)
        memset(options, 0, command->size);
    if (!read_arguments(&reading, argc, argv, err))
        return false;
    if (outcome->wants_help)
        return true;
    return take_variables(&reading, err) && check_needed(&reading, err) &&
           check_effects(&reading, err) && (command->check == NULL || command->check(options, err));
}
