/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image: which verb. */
#include "host/image/image.h"

#include <stdio.h>

#include "host/command.h"
#include "host/report.h"

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
