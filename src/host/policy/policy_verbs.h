/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of `enclavectl policy`. */
#ifndef HOST_POLICY_POLICY_VERBS_H
#define HOST_POLICY_POLICY_VERBS_H

/* As commands (host/command.h): the verb's name comes first. */
int policy_render(int argc, char **argv);
int policy_check(int argc, char **argv);

#endif
