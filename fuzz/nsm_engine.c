/* SPDX-License-Identifier: Apache-2.0 */
/* The simulated NSM: each input is a request; every answer is one item of CBOR that fits. */
#include "fuzz/fuzz.h"

#include "codec/cbor.h"
#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_request.h"

#define NOW_MS 1800000000000

static struct nsm_engine *new_engine(void)
{
    static struct nsm_identity identity;
    static const struct nsm_engine_config config = {.indefinite_map = true};
    FUZZ_CHECK(nsm_identity_new(&identity, NOW_MS / 1000, NULL));
    struct nsm_engine *engine = nsm_engine_new(&identity, &config, NULL);
    FUZZ_CHECK(engine != NULL);
    return engine;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct nsm_engine *engine;
    if (engine == NULL)
        engine = new_engine();
    BUFFER_AUTO response = {.limit = NSM_ENGINE_RESPONSE_MAX};
    nsm_engine_answer(engine, bytes_of(data, size), NOW_MS, &response);
    FUZZ_CHECK(response.len > 0 && response.len <= NSM_ENGINE_RESPONSE_MAX && !response.failed);
    struct cbor_reader r = cbor_reader(buffer_bytes(&response));
    (void)cbor_skip(&r);
    FUZZ_CHECK(cbor_reader_done(&r));
    (void)nsm_request_name(bytes_of(data, size));
    return 0;
}
