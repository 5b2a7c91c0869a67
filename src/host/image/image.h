/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of enclavectl image, one file each. */
#ifndef HOST_IMAGE_IMAGE_H
#define HOST_IMAGE_IMAGE_H

#include "cli/cli.h"

extern const struct cli_command image_build;
extern const struct cli_command image_inspect;
extern const struct cli_command image_pcr;
extern const struct cli_command image_sign;
extern const struct cli_command image_verify;

#endif
