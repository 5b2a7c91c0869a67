/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Nitro Security Module as a pure function of requests: bytes of a request in, bytes of a
 * response out, without I/O and without a clock, so that a socket, a virtio device or a fuzzer can
 * drive it. Requests, limits and errors: aws-nitro-enclaves-nsm-api src/api and QEMU
 * hw/virtio/virtio-nsm.c.
 */
#ifndef SIM_NSM_NSM_ENGINE_H
#define SIM_NSM_NSM_ENGINE_H

#include "base/buffer.h"
#include "base/error.h"
#include "sim/nsm/nsm_identity.h"

#define NSM_ENGINE_REQUEST_MAX  0x1000
#define NSM_ENGINE_RESPONSE_MAX 0x3000
#define NSM_ENGINE_PCRS         32
#define NSM_ENGINE_PCR_SIZE     48

struct nsm_engine;

struct nsm_engine_config {
    uint32_t pcr_given; /* bit n: register n starts with pcr[n]; the others start with zeros */
    uint8_t pcr[NSM_ENGINE_PCRS][NSM_ENGINE_PCR_SIZE];
    bool debug_mode;     /* registers 0, 1, 2 and 8 are zero, even if given */
    bool indefinite_map; /* the document's payload is a map of indefinite length */
};

/*
 * A module in the state in which an enclave finds it at boot: registers 0..15 are locked, and
 * register 4, unless given, measures the instance's id. identity must outlive the engine. NULL and
 * *err on failure.
 */
MUST_USE struct nsm_engine *nsm_engine_new(const struct nsm_identity *identity,
                                           const struct nsm_engine_config *config,
                                           struct error *err);
void nsm_engine_free(struct nsm_engine *engine);

/* i-<17 hex>-enc<16 hex>; new for each engine, as for each enclave. */
const char *nsm_engine_module_id(const struct nsm_engine *engine);

/*
 * Answers any request into response (reset first), whose limit is the room that the other side has.
 * now_ms: the time for documents, ms since 1970. response is empty only if not even an error fits.
 */
void nsm_engine_answer(struct nsm_engine *engine, struct bytes request, int64_t now_ms,
                       struct buffer *response);

/* Whether name is one of the module's errors (such as "InvalidIndex") or requests. */
bool nsm_engine_knows_error(struct bytes name);
bool nsm_engine_knows_request(struct bytes name);

/* Appends {"Error": name}. */
void nsm_engine_put_error(struct buffer *response, struct bytes name);

#endif
