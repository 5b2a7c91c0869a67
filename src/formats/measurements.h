/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registers of an enclave in JSON, as nitro-cli, enclavectl and enclaved print them. One rule
 * for all commands that read such a file.
 */
#ifndef FORMATS_MEASUREMENTS_H
#define FORMATS_MEASUREMENTS_H

#include "codec/json.h"
#include "formats/attestation.h"

#define MEASUREMENTS_MAX 65536 /* bytes of a file of measurements */

struct registers {
    uint32_t present; /* bit n: register n is known */
    uint8_t value[PCR_COUNT][PCR_SIZE];
};

/*
 * Reads {"PCR0": hex, ...}, at least one register, each of 96 hex digits. It may be the whole
 * document, or its member Measurements (build-enclave, describe-eif) or measurements (an answer to
 * health), or that of the one item of a list (describe-enclaves). ERROR_FORMAT, also for a list of
 * none or several enclaves.
 *
 * For an enclave in debug mode describe-enclaves prints the registers of its image, but its
 * attestation documents have zeros; so has *out.
 */
MUST_USE bool measurements_read(struct registers *out, const struct json *doc, struct error *err);

#endif
