/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl policy: the policy of the KMS key, from images and against them. */
#include <stdio.h>

#include "host/command.h"
#include "host/policy/policy_verbs.h"
#include "host/report.h"

static const struct {
    const char *name;
    command_function function;
    const char *summary;
} verbs[] = {
    {"check", policy_check, "what a key policy says to an enclave, condition by condition"},
    {"render", policy_render, "the key policy that lets images decrypt, and nothing else"},
};

static void print_help(FILE *out)
{
    fprintf(out, "usage: enclavectl policy VERB [OPTION...]\n\n"
                 "The policy of the KMS key that wraps the session key.\n\nverbs:\n");
    for (size_t i = 0; i < ARRAY_LEN(verbs); i++)
        fprintf(out, "  %-8s %s\n", verbs[i].name, verbs[i].summary);
    fprintf(out, "\nenclavectl policy VERB --help shows its options and examples.\n"
                 "\nexamples:\n"
                 "  enclavectl policy render --image enclaved.eif --account 111122223333 \\\n"
                 "      --role enclave > policy.json\n"
                 "  enclavectl policy check --policy policy.json --image enclaved.eif\n"
                 "\nexit codes:\n");
#define PRINT_EXIT(id, code, text) fprintf(out, "  %d  %s\n", code, text);
    EXIT_CODES(PRINT_EXIT)
#undef PRINT_EXIT
}

int command_policy(int argc, char **argv)
{
    struct common common = {.command = "policy"};
    struct error err;
    if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        print_help(stdout);
        return EXIT_OK;
    }
    for (size_t i = 0; argc > 1 && i < ARRAY_LEN(verbs); i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            return verbs[i].function(argc - 1, argv + 1);
    for (int i = 1; i < argc; i++)
        common.json = common.json || strcmp(argv[i], "--json") == 0;
    if (argc > 1 && argv[1][0] != '-')
        error_set(&err, ERROR_USAGE, "policy has no verb %.60s", argv[1]);
    else
        error_set(&err, ERROR_USAGE, "policy needs a verb: check or render");
    return report_failure_with(&common, &err, "see enclavectl policy --help");
}
