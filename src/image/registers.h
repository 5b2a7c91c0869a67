/* SPDX-License-Identifier: Apache-2.0 */
/* Registers from their parts, without an image. */
#ifndef IMAGE_REGISTERS_H
#define IMAGE_REGISTERS_H

#include "image/input.h"
#include "pki/sha384.h"

/*
 * PCR3 of an IAM role's ARN, PCR4 of an instance's id: SHA384(0⁴⁸ ‖ text), the text itself and not
 * its digest (AWS Nitro Enclaves user guide, "Where to get an enclave's measurements").
 */
MUST_USE bool register_of_text(uint8_t out[SHA384_SIZE], struct bytes text);

/* PCR8: SHA384(0⁴⁸ ‖ SHA384(DER)) of the first certificate in pem. ERROR_CERTIFICATE. */
MUST_USE bool register_of_certificate(uint8_t out[SHA384_SIZE], struct bytes pem,
                                      struct error *err);

/* SHA384(0⁴⁸ ‖ SHA384(file)). Streams. */
MUST_USE bool register_of_file(uint8_t out[SHA384_SIZE], const char *path, struct error *err);

/* PCR0, PCR1 and PCR2 of an image with these parts. Streams. */
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
