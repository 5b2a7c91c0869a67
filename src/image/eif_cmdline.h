/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which kernel command lines an image may have: one rule for all who write, read or start images.
 */
#ifndef IMAGE_EIF_CMDLINE_H
#define IMAGE_EIF_CMDLINE_H

#include "image/eif_file.h"

/* Linux's COMMAND_LINE_SIZE on x86 and arm64, without the zero byte at its end. */
#define EIF_CMDLINE_KERNEL 2047
/*
 * Room for what a loader appends: QEMU (its machine microvm) announces each of its two devices with
 * " virtio_mmio.device=512@0xfeb02e00:12". Measured with its machine nitro-enclave: 1,960 bytes
 * start; with 1,975 the kernel does not learn of its devices, and nothing is shown.
 */
#define EIF_CMDLINE_APPENDED 87
#define EIF_CMDLINE_MAX      (EIF_CMDLINE_KERNEL - EIF_CMDLINE_APPENDED)

/* 1 to EIF_CMDLINE_MAX bytes of printable ASCII. The error has the given code. */
MUST_USE bool eif_cmdline_check(struct bytes cmdline, enum error_code code, struct error *err);

/*
 * Appends the data of a section to out and checks it. ERROR_FORMAT, with a cause that does not name
 * the file: the rule is broken; ERROR_SYSTEM, ERROR_MEMORY.
 */
MUST_USE bool eif_cmdline_read(const struct eif_file *file, size_t section, struct buffer *out,
                               struct error *err);

#endif
