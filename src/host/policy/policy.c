/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl policy: the policy of the KMS key, from images and against them. */
#include "host/command.h"
#include "host/policy/policy_verbs.h"

static const struct cli_command *const verbs[] = {&policy_check, &policy_render};

const struct cli_command command_policy = {
    .name = "policy",
    .summary = "write a KMS key policy for images, or ask one",
    .synopsis = "VERB [OPTION...]",
    .about = "The policy of the KMS key that wraps the session key.",
    .examples = "  enclavectl policy render --image enclaved.eif --account 111122223333 \\\n"
                "      --role enclave > policy.json\n"
                "  enclavectl policy check --policy policy.json --image enclaved.eif\n",
    .verbs = verbs,
    .verb_count = ARRAY_LEN(verbs),
};
