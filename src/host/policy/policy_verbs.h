/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `enclavectl policy`, and what they share. */
#ifndef HOST_POLICY_POLICY_VERBS_H
#define HOST_POLICY_POLICY_VERBS_H

#include "host/options.h"

/* As commands (host/command.h): the verb's name comes first. */
int policy_render(int argc, char **argv);
int policy_check(int argc, char **argv);

/* Tells a failure; a file that is malformed counts as a local one (EXIT_LOCAL). remedy may be NULL.
 */
int policy_failure(const struct common *common, const struct error *err, const char *remedy);

#endif
