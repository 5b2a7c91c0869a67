/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl: the operator's and developer's tool on the untrusted side. */
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "crypto/hash.h"
#include "host/command.h"
#include "host/report.h"

static const struct {
    const char *name;
    command_function function;
    const char *summary;
} commands[] = {
    {"invoke", command_invoke, "send one request to an agent"},
    {"pipeline", command_pipeline, "Agent A, then Agent B on what it sealed"},
    {"configure", command_configure, "deliver AWS credentials and the wrapped session key"},
    {"health", command_health, "show the state of enclaved"},
    {"dev", command_dev, "run enclaved on this machine with simulated NSM and KMS"},
    {"doctor", command_doctor, "find out what is wrong, and what to do about it"},
    {"image", command_image, "build, inspect, verify and sign enclave images"},
    {"policy", command_policy, "write a KMS key policy for images, or ask one"},
    {"relay", command_relay, "carry an enclave's connections to KMS, and nowhere else"},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: enclavectl COMMAND [OPTION...]\n\ncommands:\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fprintf(
        out,
        "\nenclavectl COMMAND --help shows the options and examples of a command,\n"
        "enclavectl --version the version.\n"
        "\nADDRESS is vsock:CID:PORT, tcp:HOST:PORT or unix:PATH. Without --to it is taken from\n"
        "ENCLAVED_ADDRESS, else it is %s.\n"
        "\nexit codes:\n",
        DEFAULT_ADDRESS);
#define PRINT_EXIT(id, code, text) fprintf(out, "  %d  %s\n", code, text);
    EXIT_CODES(PRINT_EXIT)
#undef PRINT_EXIT
}

/* Credentials pass through here: no core file, no reading of this memory by others of the user. */
static void harden(void)
{
    struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0)
        report_note("core files cannot be switched off");
    signal(SIGPIPE, SIG_IGN);
}

int main(int argc, char **argv)
{
    struct common common = {.command = "COMMAND"};
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("enclavectl %s\n", ENCLAVED_VERSION);
        return EXIT_OK;
    }
    struct error err;
    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(argv[1], commands[i].name) != 0)
            continue;
        harden();
        if (!crypto_start()) {
            error_set(&err, ERROR_CRYPTO, "the cryptographic library cannot be started");
            return report_failure(&common, &err);
        }
        return commands[i].function(argc - 1, argv + 1);
    }
    for (int i = 1; i < argc; i++)
        common.json = common.json || strcmp(argv[i], "--json") == 0;
    error_set(&err, ERROR_USAGE, "unknown command %.60s", argv[1]);
    return report_failure_with(&common, &err, "see enclavectl --help");
}
