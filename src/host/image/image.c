/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image: which verb, and what they share. */
#include "host/image/image.h"

#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/command.h"

static const struct {
    const char *name;
    command_function function;
    const char *summary;
} verbs[] = {
    {"build", image_build, "make an image from kernel, enclaved and its configuration"},
    {"inspect", image_inspect, "show what an image holds, and its measurements"},
    {"pcr", image_pcr, "compute a register from its parts"},
    {"sign", image_sign, "sign an image, or remove its signature"},
    {"verify", image_verify, "check an image strictly, and name all that is wrong"},
};

static void print_help(FILE *out)
{
    fprintf(out,
            "usage: enclavectl image VERB [OPTION...]\n\n"
            "Enclave images (EIF): built without Docker and root, twice the same.\n\nverbs:\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        fprintf(out, "  %-10s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(out, "\nenclavectl image VERB --help shows the options and examples of a verb.\n"
                 "\nexamples:\n"
                 "  enclavectl image build --kernel bzImage --config enclaved.json \\\n"
                 "      --roots roots.pem --output enclaved.eif\n"
                 "  enclavectl image verify enclaved.eif\n"
                 "\nexit codes:\n");
#define PRINT_EXIT(id, code, text) fprintf(out, "  %d  %s\n", code, text);
    EXIT_CODES(PRINT_EXIT)
#undef PRINT_EXIT
}

int command_image(int argc, char **argv)
{
    struct common common = {.command = "image"};
    struct error err;
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].function(argc - 1, argv + 1);
    for (int i = 1; i < argc; i++)
        common.json = common.json || strcmp(argv[i], "--json") == 0;
    error_set(&err, ERROR_USAGE, "unknown verb %.60s", argv[1]);
    return report_failure_with(&common, &err, "see enclavectl image --help");
}

int image_failure(const struct common *common, const struct error *err)
{
    int code = report_failure_with(common, err, NULL);
    return err->code == ERROR_FORMAT ? (int)EXIT_LOCAL : code;
}

static bool fill_signals(sigset_t *set)
{
    return sigemptyset(set) == 0 && sigaddset(set, SIGINT) == 0 && sigaddset(set, SIGTERM) == 0 &&
           sigaddset(set, SIGHUP) == 0;
}

int image_hold_signals(void)
{
    sigset_t set;
    if (!fill_signals(&set) || sigprocmask(SIG_BLOCK, &set, NULL) != 0)
        return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void image_release_signals(int stop_fd)
{
    sigset_t set;
    if (stop_fd >= 0)
        close(stop_fd);
    if (fill_signals(&set) && sigprocmask(SIG_UNBLOCK, &set, NULL) != 0)
        report_note("signals cannot be unblocked");
}
