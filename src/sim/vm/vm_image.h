/* SPDX-License-Identifier: Apache-2.0 */
/* An enclave image prepared for booting: checked, measured, taken apart. */
#ifndef SIM_VM_VM_IMAGE_H
#define SIM_VM_VM_IMAGE_H

#include "image/eif_cmdline.h"

struct vm_image {
    uint64_t bytes; /* the file's size */
    struct eif_measurements measurements;
    int kernel;  /* a memory file with the section's bytes */
    int ramdisk; /* likewise, of all ramdisks in their order, as Nitro passes them; -1: none */
    char cmdline[EIF_CMDLINE_MAX + 1];
};

/*
 * ERROR_FORMAT if eif_verify has a finding: the error names the first one, and others are logged.
 * ERROR_SYSTEM.
 */
MUST_USE bool vm_image_load(struct vm_image *image, const char *path, struct error *err);
/* For a struct that vm_image_load has filled, even in part. */
void vm_image_clear(struct vm_image *image);

#endif
