/* SPDX-License-Identifier: Apache-2.0 */
/* The values of registers, from what they measure. */
#ifndef IMAGE_REGISTERS_H
#define IMAGE_REGISTERS_H

#include "image/input.h"
#include "pki/sha384.h"

/*
 * PCR3 of an IAM role's ARN, PCR4 of an instance's id: SHA384(0⁴⁸ ‖ text), the text itself and not
 * its digest (AWS Nitro Enclaves User Guide, "Where to get an enclave's measurements").
 */
MUST_USE bool register_of_text(uint8_t out[SHA384_SIZE], struct bytes text);

/* PCR8: SHA384(0⁴⁸ ‖ SHA384(DER)) of the first certificate in pem. ERROR_CERTIFICATE. */
MUST_USE bool register_of_certificate(uint8_t out[SHA384_SIZE], struct bytes pem,
                                      struct error *err);

/* SHA384(0⁴⁸ ‖ SHA384(file)); the file is read in pieces. */
MUST_USE bool register_of_file(uint8_t out[SHA384_SIZE], const char *path, struct error *err);

/* PCR0, PCR1 and PCR2 of an image, from the data of its parts in the order of the file. */
struct image_registers {
    struct sha384_stream *all;   /* PCR0: kernel, command line, all ramdisks */
    struct sha384_stream *boot;  /* PCR1: kernel, command line, first ramdisk */
    struct sha384_stream *later; /* PCR2: ramdisks after the first */
    size_t ramdisks;             /* so far */
};
enum image_part { IMAGE_KERNEL, IMAGE_CMDLINE, IMAGE_RAMDISK };

/* The two registers that measure one part. */
struct register_pair {
    struct sha384_stream *first, *second;
};

void image_registers_begin(struct image_registers *registers);
struct register_pair image_registers_part(struct image_registers *registers, enum image_part part);
/* A byte_sink whose context is a register_pair. */
bool register_pair_update(void *pair, struct bytes piece, struct error *err);
/* Frees what begin has made. False if SHA-384 has failed since. */
MUST_USE bool image_registers_end(struct image_registers *registers, uint8_t pcr0[SHA384_SIZE],
                                  uint8_t pcr1[SHA384_SIZE], uint8_t pcr2[SHA384_SIZE]);

/* The same for parts that are files or bytes, without an image. */
struct register_parts {
    const char *kernel;
    struct bytes cmdline;
    const char *const *ramdisks;
    size_t ramdisk_count;
};
MUST_USE bool registers_of_parts(uint8_t pcr0[SHA384_SIZE], uint8_t pcr1[SHA384_SIZE],
                                 uint8_t pcr2[SHA384_SIZE], const struct register_parts *parts,
                                 struct error *err);

#endif
