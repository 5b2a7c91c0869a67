/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the headers of kernels, modules and programs say. Format of kernels: Linux,
 * Documentation/arch/x86/boot.rst and Documentation/arch/arm64/booting.rst.
 */
#ifndef IMAGE_KERNEL_H
#define IMAGE_KERNEL_H

#include "image/input.h"

#define KERNEL_VERSION_SIZE 80

enum machine { MACHINE_UNKNOWN, MACHINE_X86_64, MACHINE_AARCH64 };

struct kernel {
    enum machine machine;
    char version[KERNEL_VERSION_SIZE]; /* "6.12.1"; "unknown" if the format has none */
};

/* ERROR_FORMAT, naming the file and what it is, unless the input is a kernel that can be booted. */
MUST_USE bool kernel_identify(struct kernel *out, const struct input *input, struct error *err);

/* "x86_64", "aarch64", NULL: in the order of the enumeration, from MACHINE_X86_64 on. */
extern const char *const machine_names[];
const char *machine_name(enum machine machine);
/* What nitro-cli puts on the command line (aws-nitro-enclaves-cli, blobs/ARCH/cmdline). */
const char *machine_cmdline(enum machine machine);

/*
 * Whether the input is an ELF file for this machine: a kernel module (relocatable, uncompressed) or
 * a program. *interpreted: it needs a dynamic loader. ERROR_FORMAT says what the input is instead.
 */
MUST_USE bool elf_is_module(const struct input *input, enum machine machine, struct error *err);
MUST_USE bool elf_is_program(const struct input *input, enum machine machine, bool *interpreted,
                             struct error *err);

#endif
