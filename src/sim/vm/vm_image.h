/* SPDX-License-Identifier: Apache-2.0 */
/* An enclave image made ready to boot: checked, measured, taken apart. */
#ifndef SIM_VM_VM_IMAGE_H
#define SIM_VM_VM_IMAGE_H

#include "image/eif_file.h"

#define VM_CMDLINE_MAX 1024 /* of the 2047 bytes that x86 takes; QEMU adds its devices */

struct vm_image {
    uint64_t bytes; /* the file's size */
    struct eif_measurements measurements;
    int kernel;  /* memory files, each the section's bytes */
    int ramdisk; /* all ramdisks, one behind the other, as Nitro gives them to the kernel; -1: none
                  */
    char cmdline[VM_CMDLINE_MAX + 1];
};

/*
 * ERROR_FORMAT if the image is not strictly what an image should be, with the first reason; the
 * others go to the log. ERROR_SYSTEM.
 */
MUST_USE bool vm_image_load(struct vm_image *image, const char *path, struct error *err);
/* On a struct that vm_image_load has filled, also in part. */
void vm_image_clear(struct vm_image *image);

#endif
