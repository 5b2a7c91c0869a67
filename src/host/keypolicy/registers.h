/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of an enclave as the host knows them: from an image file, from measurements in
 * nitro-cli's JSON, or from a verified attestation document.
 */
#ifndef HOST_KEYPOLICY_REGISTERS_H
#define HOST_KEYPOLICY_REGISTERS_H

#include "formats/measurements.h"
#include "formats/policy_attributes.h"

/* As measurements_read; ERROR_FORMAT also without PCR0, which measures the whole image. */
MUST_USE bool registers_from_json(struct registers *out, const struct json *doc, struct error *err);

/* The same from a file ("-": standard input). */
MUST_USE bool registers_from_measurements(struct registers *out, const char *path,
                                          struct error *err);

/* PCR0, 1, 2 and 8 of an image file; PCR8 is zeros if it is not signed, as in an enclave. */
MUST_USE bool registers_from_image(struct registers *out, const char *path, struct error *err);

/* The registers in a verified document. */
void registers_from_document(struct registers *out, const struct attestation *document);

/* Sets a register to SHA384(0⁴⁸ ‖ text): PCR3 from a role's ARN, PCR4 from an instance's id. */
MUST_USE bool registers_set_text(struct registers *out, unsigned index, const char *text,
                                 struct error *err);

bool registers_has(const struct registers *r, unsigned index);
/* Whether a register is known and all zero. */
bool registers_is_zero(const struct registers *r, unsigned index);
/* Whether PCR0 is zero, and PCR1 and PCR2 too if they are known: an enclave in debug mode. */
bool registers_is_debug(const struct registers *r);

void registers_attributes(const struct registers *r, struct policy_attributes *out);

#endif
