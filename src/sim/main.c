/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclave-sim: stand-ins for what an enclave finds on Nitro hardware and in AWS. Real protocols and
 * real cryptography under roots of its own; never to be used in production.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "crypto/hash.h"
#include "sim/commands.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} commands[] = {
    {"kms", command_kms, "AWS KMS with attested recipients, over HTTPS"},
    {"nsm", command_nsm, "a Nitro Security Module behind a unix socket"},
    {"vm", command_vm, "a Nitro enclave: boots an image in QEMU"},
};

static void print_help(FILE *to)
{
    fputs("usage: enclave-sim COMMAND [OPTION]...\n"
          "Stand-ins for Nitro hardware and AWS services, for development and tests.\n"
          "\n"
          "Commands:\n",
          to);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].help);
    fputs("\n"
          "  --help     this text; after a command: its options and examples\n"
          "  --version  the version\n"
          "\n"
          "Exit codes: 0 ended as asked, 1 failed (the reason is on standard error), 2 wrong "
          "usage.\n",
          to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return SIM_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_help(stdout);
        return SIM_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("enclave-sim " ENCLAVED_VERSION);
        return SIM_OK;
    }
    log_start("enclave-sim", LOG_INFO);
    signal(SIGPIPE, SIG_IGN);
    if (!crypto_start()) {
        log_error("OpenSSL cannot be prepared");
        return SIM_FAILED;
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "enclave-sim: no such command: %s (try --help)\n", argv[1]);
    return SIM_USAGE;
}
