/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `enclavectl policy`, one file each. */
#ifndef HOST_POLICY_POLICY_VERBS_H
#define HOST_POLICY_POLICY_VERBS_H

#include "cli/cli.h"

extern const struct cli_command policy_render;
extern const struct cli_command policy_check;

#endif
