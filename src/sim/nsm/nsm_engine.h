/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Nitro Security Module as a pure machine: bytes of a request in, bytes of a response out, no I/O
 * and no clock of its own, so that a socket, a virtio device or a fuzzer can stand in front of it.
 * Requests, limits and errors: aws-nitro-enclaves-nsm-api src/api and QEMU hw/virtio/virtio-nsm.c.
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
    uint32_t pcr_given; /* bit n: register n starts as pcr[n]; the others as zeros */
    uint8_t pcr[NSM_ENGINE_PCRS][NSM_ENGINE_PCR_SIZE];
    bool debug_mode;     /* registers 0, 1, 2 and 8 are zero, whatever was given */
    bool indefinite_map; /* the document's payload is a map of indefinite length */
};

/*
 * A module as an enclave finds it at boot: registers 0..15 locked, and register 4, unless given,
 * holding the measurement of the instance's id. identity must outlive the engine. NULL and *err on
 * failure.
 */
MUST_USE struct nsm_engine *nsm_engine_new(const struct nsm_identity *identity,
                                           const struct nsm_engine_config *config,
                                           struct error *err);
void nsm_engine_free(struct nsm_engine *engine);

/* i-<17 hex>-enc<16 hex>: new with each engine, as with each enclave. */
const char *nsm_engine_module_id(const struct nsm_engine *engine);

/*
 * Answers a request, whatever its bytes, into response (reset first), whose limit is the room that
 * the other side has for it. now_ms: the time that documents state, ms since 1970. response is
 * empty only if not even an error fits.
 */
void nsm_engine_answer(struct nsm_engine *engine, struct bytes request, int64_t now_ms,
                       struct buffer *response);

/* Whether name is one of the module's errors ("InvalidIndex", …) or requests. */
bool nsm_engine_knows_error(struct bytes name);
bool nsm_engine_knows_request(struct bytes name);

/* Puts {"Error": name}. */
void nsm_engine_put_error(struct buffer *response, struct bytes name);

#endif
