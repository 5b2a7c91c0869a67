/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: the parser by a small program of its own, and the tables of both real ones. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli_internal.h"
#include "host/command.h"
#include "sim/commands.h"
#include "tests/unit/check.h"

/* --- a small program --- */

enum colour { RED = 1, GREEN };
static const char *const colours[] = {"red", "green", NULL};

struct demo {
    bool json;
    const char *name;
    const char *pair;
    bool loud;
    int64_t number;
    uint32_t narrow;
    int64_t wait_ms;
    enum colour colour;
    const char *words[3];
    size_t word_count;
    uint32_t cids[2];
    size_t cid_count;
    char letter;
    const char *operands[2];
    size_t operand_count;
};

static bool take_letter(void *place, const char *option, const char *text, struct error *err)
{
    if (strlen(text) != 1)
        return error_set(err, ERROR_USAGE, "%s takes one letter", option);
    memcpy(place, text, 1);
    return true;
}

static bool check_pair(const char *option, const char *text, struct error *err)
{
    return strchr(text, '=') != NULL || error_set(err, ERROR_USAGE, "%s takes a pair", option);
}

static const struct cli_option demo_options[] = {
    CLI_FLAG("json", struct demo, json, "print JSON"),
    CLI_TEXT("name", "NAME", struct demo, name, "a name", .needed = true, .old = "title",
             .variable = "DEMO_NAME"),
    CLI_TEXT("pair", "A=B", struct demo, pair, "a pair", .check = check_pair, .once = true),
    CLI_FLAG("loud", struct demo, loud, "say the pair aloud", .with = "pair"),
    CLI_INTEGER("number", "N", struct demo, number, -5, 10, "a number"),
    CLI_INTEGER("narrow", "N", struct demo, narrow, 0, UINT32_MAX, "a narrow number"),
    CLI_SECONDS("wait", struct demo, wait_ms, 1, 60, "a time"),
    CLI_CHOICE("colour", "COLOUR", struct demo, colour, colours, RED, "a colour"),
    CLI_TEXTS("word", "WORD", struct demo, words, word_count, "words"),
    CLI_INTEGERS("cid", "N", struct demo, cids, cid_count, 3, 9, "numbers"),
    CLI_PARSED("letter", "LETTER", struct demo, letter, take_letter, "a letter"),
};
static const struct cli_option demo_operand =
    CLI_TEXTS(NULL, "FILE", struct demo, operands, operand_count, "files");
static const struct demo demo_initial = {.number = 7};
static struct demo ran; /* what the command was run with */

static int run_demo(void *options)
{
    memcpy(&ran, options, sizeof ran);
    return 40;
}

static bool check_demo(void *options, struct error *err)
{
    const struct demo *demo = options;
    return demo->number != 9 || error_set(err, ERROR_USAGE, "not 9");
}

static const struct cli_command demo_command = {
    .name = "demo",
    .summary = "a demonstration",
    .synopsis = "--name NAME",
    .about = "Shows.",
    .examples = "  prog demo --name x\n",
    .options = demo_options,
    .option_count = ARRAY_LEN(demo_options),
    .operand = &demo_operand,
    .size = sizeof(struct demo),
    .initial = &demo_initial,
    .check = check_demo,
    .run = run_demo,
};
static const struct cli_command secret_command = {
    .name = "secret",
    .summary = "takes no operand",
    .synopsis = "",
    .about = "Keeps.",
    .private_operands = true,
    .size = 1,
    .run = run_demo,
};
static const struct cli_command *const verbs[] = {&demo_command, &secret_command};
static const struct cli_command group_command = {
    .name = "group",
    .summary = "has verbs",
    .synopsis = "VERB",
    .about = "Groups.",
    .verbs = verbs,
    .verb_count = ARRAY_LEN(verbs),
};

/* What the program reported last. */
static struct {
    char cause[ERROR_CAUSE_SIZE];
    char remedy[200];
    bool json;
} told;

static int refuse(const struct error *err, const char *remedy, bool json)
{
    snprintf(told.cause, sizeof told.cause, "%s", err->cause);
    snprintf(told.remedy, sizeof told.remedy, "%s", remedy == NULL ? "" : remedy);
    told.json = json;
    return CLI_EXIT_USAGE;
}

static const struct cli_command *const commands[] = {&demo_command,        &secret_command,
                                                     &group_command,       &cli_help_command,
                                                     &cli_version_command, &cli_completion_command};
static const struct cli_exit exits[] = {{0, "done"}};
static const struct cli_program prog = {
    .name = "prog",
    .version = "1",
    .about = "A program.",
    .commands = commands,
    .command_count = ARRAY_LEN(commands),
    .exits = exits,
    .exit_count = ARRAY_LEN(exits),
    .refuse = refuse,
};

/* --- what a program prints is read from a file --- */

struct capture {
    FILE *file;
    int kept, fd;
};

static void capture_start(struct capture *c, int fd)
{
    fflush(NULL);
    c->file = tmpfile();
    assert_non_null(c->file);
    c->fd = fd;
    c->kept = dup(fd);
    assert_true(c->kept >= 0 && dup2(fileno(c->file), fd) == fd);
}

/* The text is cut at the size of out. */
static void capture_end(struct capture *c, char *out, size_t size)
{
    fflush(NULL);
    assert_int_equal(dup2(c->kept, c->fd), c->fd);
    close(c->kept);
    rewind(c->file);
    out[fread(out, 1, size - 1, c->file)] = '\0';
    fclose(c->file);
}

/* Runs the small program with words, which a blank parts. */
static int run_line(const char *line, char *printed, size_t size)
{
    static char text[1000];
    char *argv[40] = {(char[]){"prog"}};
    int argc = 1;
    memset(&told, 0, sizeof told);
    memset(&ran, 0, sizeof ran);
    snprintf(text, sizeof text, "%s", line);
    for (char *at = strtok(text, " "); at != NULL; at = strtok(NULL, " "))
        argv[argc++] = at;
    struct capture out, err;
    char complaint[4000];
    capture_start(&out, STDOUT_FILENO);
    capture_start(&err, STDERR_FILENO);
    int code = cli_main(&prog, argc, argv);
    capture_end(&err, complaint, sizeof complaint);
    capture_end(&out, printed, size);
    if (printed[0] == '\0')
        snprintf(printed, size, "%s", complaint);
    return code;
}

/* --- the parser --- */

static void refusals(void **state)
{
    (void)state;
    static const struct {
        const char *line, *cause, *remedy;
        bool json;
    } cases[] = {
        {"demo --name x --number 11", "--number must be an integer from -5 to 10", NULL, false},
        {"demo --name x --number -6", "--number must be an integer", NULL, false},
        {"demo --name x --number 1x", "--number must be an integer", NULL, false},
        {"demo --name x --number=", "--number must be an integer", NULL, false},
        {"demo --name x --number +1", "--number must be an integer", NULL, false},
        {"demo --name x --number 9999999999999999999999", "--number must be an integer", NULL,
         false},
        {"demo --name x --narrow -1", "--narrow must be an integer from 0 to 4294967295", NULL,
         false},
        {"demo --name x --wait 0", "--wait must be an integer from 1 to 60", NULL, false},
        {"demo --name x --wait 61", "--wait must be an integer", NULL, false},
        {"demo --name x --colour blue", "--colour is red or green", NULL, false},
        {"demo --name x --colour re", "--colour is red or green", NULL, false},
        {"demo --name x --letter ab", "--letter takes one letter", NULL, false},
        {"demo --name x --pair ab", "--pair takes a pair", NULL, false},
        {"demo --name x --pair a=b --pair a=c", "--pair is given twice", NULL, false},
        {"demo --name x --loud", "--loud has no effect without --pair", NULL, false},
        {"demo --name x --loud --pair a=b --number 9", "not 9", NULL, false},
        {"demo --name x --number 9", "not 9", "see prog demo --help", false},
        {"demo --name", "--name needs a value: NAME", NULL, false},
        {"demo", "demo needs --name NAME", "see prog demo --help", false},
        {"group demo", "group demo needs --name NAME", "see prog group demo --help", false},
        {"demo --name x --json=1", "--json takes no value", NULL, false},
        {"demo --name x --word 1 --word 2 --word 3 --word 4", "at most 3 times --word", NULL,
         false},
        {"demo --name x --cid 3 --cid 4 --cid 5", "at most 2 times --cid", NULL, false},
        {"demo --name x --cid 2", "--cid must be an integer from 3 to 9", NULL, false},
        {"demo --name x a b c", "unexpected argument c", NULL, false},
        /* exact names only, and of an unknown option no value */
        {"demo --nam x", "unknown option --nam", "did you mean --name?", false},
        {"demo --na x", "unknown option --na", "did you mean --name?", false},
        {"demo --nmae x", "unknown option --nmae", "did you mean --name?", false},
        {"demo --hepl", "unknown option --hepl", "did you mean --help?", false},
        {"demo --secret-key=hush", "unknown option --secret-key", "see prog demo --help", false},
        {"demo --"
         "aaaaaaaaaabbbbbbbbbbccccccccccdddddddddd"
         "xyz=hush",
         "unknown option --aaaaaaaaaabbbbbbbbbbccccccccccdddddddd", "see prog demo --help", false},
        {"demo -n x", "unknown option -n", "see prog demo --help", false},
        {"demo --=x", "unknown option --", NULL, false},
        {"secret hush", "unexpected argument: secret takes options only", NULL, false},
        /* in JSON wherever --json is, up to -- */
        {"demo --nam x --json", "unknown option --nam", NULL, true},
        {"demo --nam x -- --json", "unknown option --nam", NULL, false},
        {"dmo --json", "unknown command dmo", "did you mean demo?", true},
        {"--json demo", "--json comes before the command: options come after it", NULL, true},
        {"--token=hush demo", "--token comes before the command: options come after it", NULL,
         false},
        {"group dmo", "group has no verb dmo", "did you mean group demo?", false},
        {"group other", "group has no verb other", "see prog group --help", false},
        {"group --name x", "--name comes before the verb: options come after it", NULL, false},
        {"unlike", "unknown command unlike", "see prog --help", false},
        {"help dmo", "unknown command dmo", "did you mean demo?", false},
        {"help group dmo", "group has no verb dmo", "did you mean group demo?", false},
        {"help demo x", "demo has no verb x", NULL, false},
        {"completion", "completion needs SHELL", NULL, false},
        {"completion tcsh", "SHELL is bash, zsh or fish", NULL, false},
        {"completion bash zsh", "unexpected argument zsh", NULL, false},
        {"version 2", "unexpected argument 2", NULL, false},
    };
    unsetenv("DEMO_NAME");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char printed[4000];
        int code = run_line(cases[i].line, printed, sizeof printed);
        const char *cause = cases[i].cause;
        bool exact = strncmp(cause, "unknown option", 14) == 0;
        if (code != CLI_EXIT_USAGE || strncmp(told.cause, cause, strlen(cause)) != 0 ||
            (exact && strcmp(told.cause, cause) != 0) || told.json != cases[i].json ||
            (cases[i].remedy != NULL && strcmp(told.remedy, cases[i].remedy) != 0))
            fail_msg("%s: %d, \"%s\", \"%s\", %d", cases[i].line, code, told.cause, told.remedy,
                     told.json);
    }
}

static void values(void **state)
{
    (void)state;
    char printed[4000];
    unsetenv("DEMO_NAME");
    assert_int_equal(run_line("demo f1 --name=a=b --number -5 --json --narrow 4294967295 --wait=60 "
                              "--colour green --word 1 --word=2 --cid 9 --letter q --pair k=v f2",
                              printed, sizeof printed),
                     40);
    assert_string_equal(printed, "");
    assert_true(ran.json);
    assert_int_equal(ran.number, -5);
    assert_int_equal(ran.narrow, UINT32_MAX);
    assert_int_equal(ran.wait_ms, 60000);
    assert_int_equal(ran.colour, GREEN);
    assert_int_equal(ran.word_count, 2);
    assert_int_equal(ran.cid_count, 1);
    assert_int_equal(ran.cids[0], 9);
    assert_int_equal(ran.letter, 'q');
    assert_int_equal(ran.operand_count, 2);
}

/* The texts point into the arguments: they are looked at within one parse. */
static void texts(void **state)
{
    (void)state;
    static const struct cli_call call = {.program = &prog, .command = &demo_command};
    static const struct {
        const char *words[6];
        const char *name, *operand;
    } cases[] = {
        {{"--name", "x"}, "x", NULL},
        {{"--name=x=y"}, "x=y", NULL},
        {{"--name="}, "", NULL},
        {{"--name", "--json"}, "--json", NULL}, /* a value is a value */
        {{"--name", "x", "--name", "y"}, "y", NULL},
        {{"--name", "x", "--", "--json"}, "x", "--json"},
        {{"--name", "x", "-"}, "x", "-"},
        {{"-", "--name", "x"}, "x", "-"},
        {{"--name", "x", "--", "--"}, "x", "--"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *argv[6];
        int argc = 0;
        struct demo demo;
        struct cli_outcome outcome;
        struct error err = {0};
        for (; argc < 6 && cases[i].words[argc] != NULL; argc++)
            argv[argc] = strdup(cases[i].words[argc]);
        if (!cli_parse(&call, argc, argv, &demo, &outcome, &err))
            fail_msg("%zu: %s", i, err.cause);
        assert_string_equal(demo.name, cases[i].name);
        assert_false(demo.json);
        assert_int_equal(demo.number, 7); /* as it was initially */
        assert_int_equal(demo.operand_count, cases[i].operand != NULL);
        if (cases[i].operand != NULL)
            assert_string_equal(demo.operands[0], cases[i].operand);
        for (int k = 0; k < argc; k++)
            free(argv[k]);
    }
}

static void variables(void **state)
{
    (void)state;
    char printed[4000];
    setenv("DEMO_NAME", "from the environment", 1);
    assert_int_equal(run_line("demo", printed, sizeof printed), CLI_EXIT_USAGE); /* still needed */
    assert_int_equal(run_line("demo --name x", printed, sizeof printed), 40);
    static const struct cli_option row[] = {
        CLI_TEXT("name", "NAME", struct demo, name, "a name", .variable = "DEMO_NAME")};
    struct cli_command command = demo_command;
    command.options = row;
    command.option_count = 1;
    const struct cli_call call = {.program = &prog, .command = &command};
    struct demo demo;
    struct cli_outcome outcome;
    struct error err;
    assert_true(cli_parse(&call, 0, NULL, &demo, &outcome, &err));
    assert_string_equal(demo.name, "from the environment");
    setenv("DEMO_NAME", "", 1);
    assert_true(cli_parse(&call, 0, NULL, &demo, &outcome, &err));
    assert_null(demo.name);
    unsetenv("DEMO_NAME");
}

static void former_names(void **state)
{
    (void)state;
    char printed[4000];
    assert_int_equal(run_line("demo --title x", printed, sizeof printed), 40);
    assert_string_equal(printed,
                        "prog: --title is now --name; the old name goes with the next version\n");
    assert_int_equal(run_line("demo --titl x", printed, sizeof printed), CLI_EXIT_USAGE);
}

static void help(void **state)
{
    (void)state;
    static const struct {
        const char *line, *begin;
        int code;
    } cases[] = {
        {"--help", "usage: prog COMMAND", 0},
        {"-h", "usage: prog COMMAND", 0},
        {"help", "usage: prog COMMAND", 0},
        {"", "usage: prog COMMAND", CLI_EXIT_USAGE},
        {"group", "usage: prog group VERB", CLI_EXIT_USAGE},
        {"group --help", "usage: prog", 0},
        {"help group", "usage: prog group VERB", 0},
        {"demo --help", "usage: prog demo --name NAME", 0},
        {"demo --number 1 -h --nonsense", "usage: prog demo --name NAME", 0},
        {"help demo", "usage: prog demo --name NAME", 0},
        {"group demo --help", "usage: prog group demo --name NAME", 0},
        {"help group demo", "usage: prog group demo --name NAME", 0},
        {"completion --help", "usage: prog completion bash|zsh|fish", 0},
        {"version", "prog 1\n", 0},
        {"--version", "prog 1\n", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        static char printed[20000];
        int code = run_line(cases[i].line, printed, sizeof printed);
        if (code != cases[i].code || strncmp(printed, cases[i].begin, strlen(cases[i].begin)) != 0)
            fail_msg("%s: %d, %.60s", cases[i].line, code, printed);
        for (const char *at = printed; *at != '\0'; at += strcspn(at, "\n") + (*at != '\0'))
            if (strcspn(at, "\n") > 100)
                fail_msg("%s: a line is too long: %.110s", cases[i].line, at);
    }
}

static void suggestions(void **state)
{
    (void)state;
    static const struct {
        const char *word, *name; /* NULL: like nothing */
    } cases[] = {
        {"name", "name"}, {"nmae", "name"},      {"nam", "name"},    {"names", "name"},
        {"naem", "name"}, {"wrod", "word"},      {"colr", "colour"}, {"colours", "colour"},
        {"le", "letter"}, {"numbers", "number"}, {"cd", "cid"},      {"xyz", NULL},
        {"", NULL},       {"n", NULL},           {"password", NULL}, {"help", "help"},
        {"jso", "json"},  {"json-lines", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *got = cli_similar_option(&demo_command, bytes_text(cases[i].word));
        if ((got == NULL) != (cases[i].name == NULL) ||
            (got != NULL && strcmp(got, cases[i].name) != 0))
            fail_msg("%s: %s", cases[i].word, got == NULL ? "nothing" : got);
    }
    assert_string_equal(cli_similar_command(&enclavectl, "heath"), "health");
    assert_string_equal(cli_similar_command(&enclavectl, "conf"), "configure");
    assert_string_equal(cli_similar_command(&enclavectl, "comfigure"), "configure");
    assert_string_equal(cli_similar_command(&enclave_sim, "vn"), "vm");
    assert_null(cli_similar_command(&enclavectl, "frobnicate"));
}

/* --- the tables of both programs --- */

typedef void (*visitor)(const struct cli_call *call);

static void visit(const struct cli_program *program, visitor look)
{
    const struct cli_command *command;
    for (size_t i = 0; (command = cli_command_at(program, i)) != NULL; i++) {
        if (command->verb_count == 0)
            look(&(struct cli_call){program, NULL, command});
        for (size_t k = 0; k < command->verb_count; k++)
            look(&(struct cli_call){program, command, command->verbs[k]});
    }
}

static void visit_all(visitor look)
{
    visit(&enclavectl, look);
    visit(&enclave_sim, look);
}

/* To standard output: standard error may be captured. */
#define FAIL(call, row, ...)                                                \
    do {                                                                    \
        char name_[CLI_NAME_SIZE], why_[600];                               \
        cli_call_name(call, name_);                                         \
        snprintf(why_, sizeof why_, __VA_ARGS__);                           \
        print_message("%s %s: %s: %s\n", (call)->program->name, name_,      \
                      (row)->name == NULL ? "operand" : (row)->name, why_); \
        fail();                                                             \
    } while (0)

static bool same_name(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void judge_pair(const struct cli_call *call, const struct cli_option *a,
                       const struct cli_option *b)
{
    if (same_name(a->name, b->name) || same_name(a->name, b->old) || same_name(a->old, b->name) ||
        same_name(a->old, b->old))
        FAIL(call, a, "one name twice");
    if (a->to.offset == b->to.offset && !(a->shared && b->shared))
        FAIL(call, a, "the place of %s", b->name);
}

static void judge_row(const struct cli_call *call, const struct cli_option *row)
{
    size_t elements = row->to.most == 0 ? 1 : row->to.most;
    if (row->to.offset + elements * row->to.size > call->command->size)
        FAIL(call, row, "its place is not in the command's struct");
    if (row->help == NULL || row->help[0] == '\0' || row->help[strlen(row->help) - 1] == '.')
        FAIL(call, row, "its help is empty or ends with a full stop");
    if ((row->argument == NULL) != (row->to.kind == CLI_KIND_FLAG))
        FAIL(call, row, "only a flag has no value");
    if (same_name(row->name, "help"))
        FAIL(call, row, "every command has it anyway");
}

/* What an option goes with is another option of the same command. */
static void judge_company(const struct cli_call *call, const struct cli_option *row)
{
    for (size_t i = 0; i < call->command->option_count; i++)
        if (same_name(row->with, call->command->options[i].name) &&
            row != &call->command->options[i])
            return;
    if (row->with != NULL)
        FAIL(call, row, "goes with --%s, which this command has not", row->with);
}

static void judge_table(const struct cli_call *call)
{
    const struct cli_command *command = call->command;
    assert_true(command->option_count <= CLI_OPTIONS_MAX);
    assert_non_null(command->run);
    assert_non_null(command->about);
    for (size_t i = 0; i < command->option_count; i++) {
        judge_row(call, &command->options[i]);
        judge_company(call, &command->options[i]);
        for (size_t k = 0; k < i; k++)
            judge_pair(call, &command->options[i], &command->options[k]);
        if (command->operand != NULL &&
            command->operand->to.offset == command->options[i].to.offset &&
            !command->operand->shared)
            FAIL(call, command->operand, "the place of %s", command->options[i].name);
    }
    if (command->operand != NULL)
        judge_row(call, command->operand);
}

static void tables_are_sound(void **state)
{
    (void)state;
    visit_all(judge_table);
}

/* --- every option is taken by its command --- */

static char measurements_path[] = "/tmp/test_cli.XXXXXX";

/* One of these is a value of each option that is neither a number nor a choice. */
#define ZEROS "000000000000000000000000"
static char *const samples[] = {
    (char[]){"x"},
    measurements_path,
    (char[]){"-"},
    (char[]){"unix:/x"},
    (char[]){"tcp:127.0.0.1:1"},
    (char[]){"1=unix:/x"},
    (char[]){"3=" ZEROS ZEROS ZEROS "0123456789abcdef01234567"},
    (char[]){"short"},
    (char[]){"a=b"},
    (char[]){"123456789012"},
    (char[]){"i-0123456789abcdef0"},
    (char[]){"arn:aws:iam::123456789012:role/x"},
    (char[]){"arn:aws:kms:us-east-1:123456789012:key/x"},
    (char[]){"2026-11-22T13:16:23Z"},
    (char[]){"kms:Decrypt"},
    (char[]){"aws"},
    (char[]){"Decrypt throttle 1"},
};

/* A command without what else it wants, so that one option can be given alone. */
struct bare {
    struct cli_command command;
    struct cli_option options[CLI_OPTIONS_MAX];
    struct cli_option operand;
    struct cli_call call;
    unsigned char *before, *after;
    struct error err;
};

static void bare_init(struct bare *bare, const struct cli_call *call)
{
    const struct cli_command *command = call->command;
    bare->command = *command;
    bare->command.check = NULL;
    for (size_t i = 0; i < command->option_count; i++) {
        bare->options[i] = command->options[i];
        bare->options[i].needed = false;
        bare->options[i].with = NULL;
    }
    bare->command.options = bare->options;
    if (command->operand != NULL) {
        bare->operand = *command->operand;
        bare->operand.needed = false;
        bare->command.operand = &bare->operand;
    }
    bare->call = (struct cli_call){call->program, call->group, &bare->command};
    bare->before = calloc(1, command->size + 1);
    bare->after = calloc(1, command->size + 1);
    assert_non_null(bare->before);
    assert_non_null(bare->after);
}

static void bare_clear(struct bare *bare)
{
    free(bare->before);
    free(bare->after);
}

static bool bare_parse(struct bare *bare, int argc, char **argv, unsigned char *into)
{
    struct cli_outcome outcome;
    bare->err = (struct error){0};
    return cli_parse(&bare->call, argc, argv, into, &outcome, &bare->err);
}

/* Gives the option, count times, by name and value (NULL: a flag; name NULL: an operand). */
static bool bare_give(struct bare *bare, const char *name, char *value, size_t count)
{
    char *argv[1100];
    char option[64];
    int argc = 0;
    assert_true(2 * count <= ARRAY_LEN(argv));
    snprintf(option, sizeof option, "--%s", name == NULL ? "" : name);
    assert_true(bare_parse(bare, 0, NULL, bare->before));
    for (size_t i = 0; i < count; i++) {
        if (name != NULL)
            argv[argc++] = option;
        if (value != NULL)
            argv[argc++] = value;
    }
    return bare_parse(bare, argc, argv, bare->after);
}

/* Whether something changed, in the option's place and its count and nowhere else. */
static bool changed_in_place(const struct bare *bare, const struct cli_place *to)
{
    bool changed = false;
    for (size_t i = 0; i < bare->command.size; i++) {
        if (bare->before[i] == bare->after[i])
            continue;
        if (i >= to->offset && i < to->offset + to->size)
            changed = true;
        else if (to->most == 0 || i < to->count || i >= to->count + sizeof(size_t))
            FAIL(&bare->call, &bare->options[0], "an option changes another place, byte %zu", i);
    }
    return changed;
}

static void numbers_are_taken(struct bare *bare, const struct cli_option *row)
{
    char text[32];
    bool changed = false;
    const int64_t good[] = {row->to.min, row->to.max};
    const int64_t bad[] = {row->to.min - 1, row->to.max + 1};
    for (size_t i = 0; i < 2; i++) {
        snprintf(text, sizeof text, "%lld", (long long)good[i]);
        if (!bare_give(bare, row->name, text, 1))
            FAIL(&bare->call, row, "%s is refused: %s", text, bare->err.cause);
        changed = changed_in_place(bare, &row->to) || changed;
        snprintf(text, sizeof text, "%lld", (long long)bad[i]);
        if (bare_give(bare, row->name, text, 1))
            FAIL(&bare->call, row, "%s is taken", text);
    }
    if (!changed)
        FAIL(&bare->call, row, "changes nothing");
}

static void choices_are_taken(struct bare *bare, const struct cli_option *row)
{
    char text[32];
    bool changed = false;
    for (size_t i = 0; row->to.choices[i] != NULL; i++) {
        snprintf(text, sizeof text, "%s", row->to.choices[i]);
        if (!bare_give(bare, row->name, text, 1))
            FAIL(&bare->call, row, "%s is refused: %s", text, bare->err.cause);
        changed = changed_in_place(bare, &row->to) || changed;
    }
    if (!changed)
        FAIL(&bare->call, row, "changes nothing");
    if (bare_give(bare, row->name, (char[]){"none-of-these"}, 1))
        FAIL(&bare->call, row, "takes any name");
}

/* The sample that this option takes. */
static char *sample_of(struct bare *bare, const struct cli_option *row)
{
    if (row->to.kind == CLI_KIND_FLAG)
        return bare_give(bare, row->name, NULL, 1) ? samples[0] : NULL;
    for (size_t i = 0; i < ARRAY_LEN(samples); i++)
        if (bare_give(bare, row->name, samples[i], 1))
            return samples[i];
    return NULL;
}

static void text_is_taken(struct bare *bare, const struct cli_option *row)
{
    char *sample = sample_of(bare, row);
    if (sample == NULL)
        FAIL(&bare->call, row, "no sample is taken: %s", bare->err.cause);
    if (!changed_in_place(bare, &row->to))
        FAIL(&bare->call, row, "changes nothing");
    if (row->once && bare_give(bare, row->name, sample, 2))
        FAIL(&bare->call, row, "is taken twice");
}

static void limit_is_kept(struct bare *bare, const struct cli_option *row)
{
    char number[32];
    char *sample = number;
    snprintf(number, sizeof number, "%lld", (long long)row->to.min);
    if (row->to.kind != CLI_KIND_INTEGER)
        sample = sample_of(bare, row);
    if (!bare_give(bare, row->name, sample, row->to.most))
        FAIL(&bare->call, row, "is not taken %zu times: %s", row->to.most, bare->err.cause);
    if (bare_give(bare, row->name, sample, row->to.most + 1))
        FAIL(&bare->call, row, "is taken more than %zu times", row->to.most);
}

static void row_is_taken(struct bare *bare, const struct cli_option *row)
{
    switch (row->to.kind) {
    case CLI_KIND_INTEGER:
    case CLI_KIND_SECONDS:
        numbers_are_taken(bare, row);
        break;
    case CLI_KIND_CHOICE:
        choices_are_taken(bare, row);
        break;
    case CLI_KIND_FLAG:
    case CLI_KIND_TEXT:
    case CLI_KIND_PARSED:
        text_is_taken(bare, row);
        break;
    }
    if (row->to.most > 0)
        limit_is_kept(bare, row);
}

static void options_are_taken(const struct cli_call *call)
{
    struct bare *bare = calloc(1, sizeof *bare);
    assert_non_null(bare);
    bare_init(bare, call);
    for (size_t i = 0; i < call->command->option_count; i++) {
        row_is_taken(bare, &bare->options[i]);
        if (bare->options[i].old == NULL)
            continue;
        struct cli_option former = bare->options[i];
        former.name = former.old;
        row_is_taken(bare, &former);
    }
    if (call->command->operand != NULL)
        row_is_taken(bare, &bare->operand);
    bare_clear(bare);
    free(bare);
}

static void every_option_is_taken(void **state)
{
    (void)state;
    static char notes[1 << 16];
    struct capture err;
    int fd = mkstemp(measurements_path);
    assert_true(fd >= 0);
    static const char text[] = "{\"PCR0\": \"0123456789abcdef01234567" ZEROS ZEROS ZEROS "\"}";
    assert_int_equal(write(fd, text, sizeof text - 1), sizeof text - 1);
    close(fd);
    unsetenv("ENCLAVED_ADDRESS");
    capture_start(&err, STDERR_FILENO); /* the notes about former names */
    visit_all(options_are_taken);
    capture_end(&err, notes, sizeof notes);
    unlink(measurements_path);
    assert_non_null(strstr(notes, "enclavectl: --pcrs is now --measurements; "));
    assert_non_null(strstr(notes, "enclave-sim: --root is now --write-nsm-root; "));
}

/* --- what is said of them --- */

static bool holds_word(const struct buffer *text, const char *word)
{
    size_t len = strlen(word);
    for (size_t i = 0; i + len <= text->len; i++)
        if (memcmp(text->at + i, word, len) == 0 &&
            (i + len == text->len ||
             strchr("abcdefghijklmnopqrstuvwxyz-", text->at[i + len]) == NULL))
            return true;
    return false;
}

static void option_is_known(const struct cli_call *call, const struct cli_option *row)
{
    static void (*const writers[])(const struct cli_program *, struct buffer *) = {
        cli_complete_bash, cli_complete_zsh, cli_complete_fish};
    static const char *const forms[] = {"--%s", "--%s", "-l %s"};
    BUFFER_AUTO text;
    char name[64];
    buffer_init(&text, 1u << 20);
    cli_help(call, &text);
    snprintf(name, sizeof name, "  --%s", row->name);
    if (text.failed || !holds_word(&text, name))
        FAIL(call, row, "not in --help");
    for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
        buffer_reset(&text);
        writers[i](call->program, &text);
        if (i == 2)
            snprintf(name, sizeof name, "-l %s", row->name);
        else
            snprintf(name, sizeof name, "--%s", row->name);
        if (text.failed || !holds_word(&text, name))
            FAIL(call, row, "not in the completion %s", forms[i]);
    }
}

static void lines_are_short(const struct cli_call *call)
{
    BUFFER_AUTO text;
    buffer_init(&text, 1u << 20);
    cli_help(call, &text);
    size_t start = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '\n')
            start = i + 1;
        else if (i - start >= 100)
            FAIL(call, call->command->options, "a line of --help is too long: %.60s",
                 (const char *)text.at + start);
    }
}

static void options_are_known(const struct cli_call *call)
{
    const struct cli_option *row;
    lines_are_short(call);
    for (size_t i = 0; (row = cli_option_at(call->command, i)) != NULL; i++)
        option_is_known(call, row);
}

static void help_and_completion_name_every_option(void **state)
{
    (void)state;
    visit_all(options_are_known);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals),
        cmocka_unit_test(values),
        cmocka_unit_test(texts),
        cmocka_unit_test(variables),
        cmocka_unit_test(former_names),
        cmocka_unit_test(help),
        cmocka_unit_test(suggestions),
        cmocka_unit_test(tables_are_sound),
        cmocka_unit_test(every_option_is_taken),
        cmocka_unit_test(help_and_completion_name_every_option),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
