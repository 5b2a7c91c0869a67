/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attestation documents: what parses is the same after writing and reading; verifying never
 * crashes.
 */
#include "fuzz/fuzz.h"

#include "formats/cose.h"
#include "pki/attestation_verify.h"

#define AT_MS 1800000000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    struct cose_sign1 cose;
    struct attestation a, again, believed;
    if (!cose_sign1_parse(&cose, input, COSE_UNTAGGED, NULL) ||
        !attestation_parse(&a, cose.payload, NULL))
        return 0;
    for (int indefinite = 0; indefinite <= 1; indefinite++) {
        BUFFER_AUTO payload = {.limit = 1u << 20};
        attestation_put(&payload, &a, indefinite != 0);
        FUZZ_CHECK(attestation_parse(&again, buffer_bytes(&payload), NULL));
        FUZZ_CHECK(bytes_equal(a.module_id, again.module_id));
        FUZZ_CHECK(a.timestamp_ms == again.timestamp_ms && a.pcr_present == again.pcr_present);
        FUZZ_CHECK(a.cabundle_count == again.cabundle_count);
    }
    /* Under the root that it brings: a document of a stranger cannot get farther. */
    if (!attestation_verify(&believed, input, a.cabundle[0], AT_MS, NULL))
        FUZZ_CHECK(believed.module_id.at == NULL);
    return 0;
}
