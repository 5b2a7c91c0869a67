/* SPDX-License-Identifier: Apache-2.0 */
/* What `enclavectl policy check` knows about an enclave, and from where. */
#ifndef HOST_POLICY_POLICY_EVIDENCE_H
#define HOST_POLICY_POLICY_EVIDENCE_H

#include "host/keypolicy/registers.h"

enum evidence_kind { EVIDENCE_DOCUMENT, EVIDENCE_IMAGE, EVIDENCE_MEASUREMENTS };

struct evidence {
    enum evidence_kind kind;
    const char *path;
    struct registers registers;
    const char *root; /* of a document: the trusted root, PEM or DER; NULL: that of AWS */
    char module_id[ATTESTATION_MODULE_ID_MAX + 1];
    int64_t timestamp_ms; /* of a document: when it was made */
};

/*
 * Reads path ("-": standard input) according to kind. A document, raw or in base64, is verified at
 * at_ms (pki/attestation_verify.h) before anything of it is kept. *remedy: what to do about a
 * failure, or NULL. ERROR_FORMAT, ERROR_CERTIFICATE, ERROR_SIGNATURE, ERROR_SYSTEM.
 */
MUST_USE bool evidence_read(struct evidence *evidence, int64_t at_ms, const char **remedy,
                            struct error *err);

#endif
