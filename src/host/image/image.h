/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of enclavectl image, one file each, and what they share. */
#ifndef HOST_IMAGE_IMAGE_H
#define HOST_IMAGE_IMAGE_H

#include "host/report.h"

#define IMAGE_PEM_MAX  (1u << 20) /* bytes of roots, a key or a certificate; as enclaved's limit */
#define IMAGE_FILE_MAX (1u << 20) /* bytes of a configuration or another small file */
#define IMAGE_TEXT_MAX (4u << 20) /* bytes of what a verb prints */

int image_build(int argc, char **argv);
int image_inspect(int argc, char **argv);
int image_pcr(int argc, char **argv);
int image_sign(int argc, char **argv);
int image_verify(int argc, char **argv);

/*
 * Tells the failure and returns its exit code: what is wrong with a file is EXIT_LOCAL, where
 * elsewhere malformed data is an answer's.
 */
int image_failure(const struct common *common, const struct error *err);

/* SIGINT, SIGTERM and SIGHUP are held back, and *stop_fd becomes readable at them; the second then
 * lets those that came do what they do. -1 where that cannot be. */
int image_hold_signals(void);
void image_release_signals(int stop_fd);

#endif
