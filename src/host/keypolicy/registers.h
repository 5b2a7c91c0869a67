/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of an enclave as the host knows them: from an image file, from measurements in
 * nitro-cli's JSON, or from a verified attestation document.
 */
#ifndef HOST_KEYPOLICY_REGISTERS_H
#define HOST_KEYPOLICY_REGISTERS_H

#include "codec/json.h"
#include "formats/attestation.h"
#include "formats/policy_attributes.h"

#define MEASUREMENTS_MAX 65536 /* bytes of a file of measurements */

struct registers {
    uint32_t present; /* bit n: register n is known */
    uint8_t value[PCR_COUNT][PCR_SIZE];
};

/*
 * Reads {"PCR0": hex, "PCR1": …}, which may be the whole document, its member Measurements
 * (nitro-cli build-enclave, describe-eif) or measurements (an answer to health), or in the first
 * item of a list of these (describe-enclaves). ERROR_FORMAT unless PCR0 is there and every register
 * has 96 hex digits.
 */
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
