/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl image: which verbs. */
#include "host/image/image.h"

#include "host/command.h"

static const struct cli_command *const verbs[] = {&image_build, &image_inspect, &image_pcr,
                                                  &image_sign, &image_verify};

const struct cli_command command_image = {
    .name = "image",
    .summary = "build, inspect, verify and sign enclave images",
    .synopsis = "VERB [OPTION...]",
    .about = "Builds, inspects, verifies and signs enclave images (EIF), without Docker and root. "
             "The same\n"
             "files give the same image.",
    .examples = "  enclavectl image build --kernel bzImage --config enclaved.json \\\n"
                "      --roots roots.pem --output enclaved.eif\n"
                "  enclavectl image verify enclaved.eif\n",
    .verbs = verbs,
    .verb_count = ARRAY_LEN(verbs),
};
