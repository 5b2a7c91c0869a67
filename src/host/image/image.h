/* SPDX-License-Identifier: Apache-2.0 */
/* The verbs of enclavectl image, one file each. */
#ifndef HOST_IMAGE_IMAGE_H
#define HOST_IMAGE_IMAGE_H

int image_build(int argc, char **argv);
int image_inspect(int argc, char **argv);
int image_pcr(int argc, char **argv);
int image_sign(int argc, char **argv);
int image_verify(int argc, char **argv);

#endif
