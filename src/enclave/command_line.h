/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of enclaved and enclaved-dev; enclaved-init has none. */
#ifndef ENCLAVE_COMMAND_LINE_H
#define ENCLAVE_COMMAND_LINE_H

#include "enclave/platform.h"

/* The whole of main. nsm_help: the line about --nsm in the help; NULL: there is no such option. */
int command_line_run(int argc, char **argv, const struct platform *platform, const char *nsm_help);

#endif
