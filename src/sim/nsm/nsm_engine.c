/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/secret.h"
#include "formats/cbor_types.h"
#include "pki/sha384.h"
#include "sim/nsm/nsm_document.h"
#include "sim/nsm/nsm_request.h"

#define LOCKED_AT_BOOT 0xffffu /* registers 0..15 */
#define RANDOM_SIZE    256     /* bytes that one GetRandom returns */
#define EXTEND_MAX     512
#define USER_DATA_MAX  512 /* bytes, also of a nonce */
#define PUBLIC_KEY_MAX 1024
#define MODULE_ID_SIZE 40

_Static_assert(NSM_ENGINE_PCRS == PCR_COUNT && NSM_ENGINE_PCR_SIZE == PCR_SIZE, "one kind of PCR");

struct nsm_engine {
    const struct nsm_identity *identity;
    char module_id[MODULE_ID_SIZE];
    uint8_t pcr[PCR_COUNT][PCR_SIZE];
    uint32_t locked;
    bool indefinite_map;
    struct nsm_leaf leaf;
};

/* NULL: success; otherwise the name of an error. */
typedef const char *verdict;

static const char INVALID_ARGUMENT[] = "InvalidArgument";
static const char INVALID_INDEX[] = "InvalidIndex";
static const char READ_ONLY_INDEX[] = "ReadOnlyIndex";
static const char INVALID_OPERATION[] = "InvalidOperation";
static const char BUFFER_TOO_SMALL[] = "BufferTooSmall";
static const char INPUT_TOO_LARGE[] = "InputTooLarge";
static const char INTERNAL_ERROR[] = "InternalError";

static uint32_t bit(uint64_t index)
{
    return (uint32_t)1 << index;
}

static struct bytes register_of(const struct nsm_engine *engine, uint64_t index)
{
    return bytes_of(engine->pcr[index], PCR_SIZE);
}

static verdict check_index(const struct nsm_arguments *arguments)
{
    if (!arguments->has_index)
        return INVALID_OPERATION;
    return arguments->index < PCR_COUNT ? NULL : INVALID_INDEX;
}

/* {"DescribeNSM": {"version_major": u, …, "locked_pcrs": [u…], "digest": "SHA384"}} */
static verdict describe_nsm(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                            int64_t now_ms, struct buffer *out)
{
    (void)arguments;
    (void)now_ms;
    cbor_put_map(out, 1);
    cbor_put_text(out, "DescribeNSM");
    cbor_put_map(out, 7);
    cbor_put_text(out, "version_major");
    cbor_put_unsigned(out, 1);
    cbor_put_text(out, "version_minor");
    cbor_put_unsigned(out, 0);
    cbor_put_text(out, "version_patch");
    cbor_put_unsigned(out, 0);
    cbor_put_text(out, "module_id");
    cbor_put_text(out, engine->module_id);
    cbor_put_text(out, "max_pcrs");
    cbor_put_unsigned(out, PCR_COUNT);
    cbor_put_text(out, "locked_pcrs");
    cbor_put_array(out, (uint64_t)__builtin_popcount(engine->locked));
    for (uint64_t i = 0; i < PCR_COUNT; i++)
        if ((engine->locked & bit(i)) != 0)
            cbor_put_unsigned(out, i);
    cbor_put_text(out, "digest");
    cbor_put_text(out, "SHA384");
    return NULL;
}

/* {"DescribePCR": {"lock": bool, "data": bstr}} */
static verdict describe_pcr(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                            int64_t now_ms, struct buffer *out)
{
    (void)now_ms;
    verdict bad = check_index(arguments);
    if (bad != NULL)
        return bad;
    cbor_put_map(out, 1);
    cbor_put_text(out, "DescribePCR");
    cbor_put_map(out, 2);
    cbor_put_text(out, "lock");
    cbor_put_boolean(out, (engine->locked & bit(arguments->index)) != 0);
    cbor_put_text(out, "data");
    cbor_put_bytes(out, register_of(engine, arguments->index));
    return NULL;
}

/* {"ExtendPCR": {"data": bstr}}: SHA-384 of the old value and the data */
static verdict extend_pcr(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                          int64_t now_ms, struct buffer *out)
{
    (void)now_ms;
    uint8_t extended[PCR_SIZE];
    verdict bad = check_index(arguments);
    if (bad != NULL)
        return bad;
    if ((engine->locked & bit(arguments->index)) != 0)
        return READ_ONLY_INDEX;
    if (arguments->data.at == NULL)
        return INVALID_OPERATION;
    if (arguments->data.len == 0)
        return INVALID_ARGUMENT;
    if (arguments->data.len > EXTEND_MAX)
        return INPUT_TOO_LARGE;
    if (!sha384_pair(extended, register_of(engine, arguments->index), arguments->data))
        return INTERNAL_ERROR;
    memcpy(engine->pcr[arguments->index], extended, PCR_SIZE);
    cbor_put_map(out, 1);
    cbor_put_text(out, "ExtendPCR");
    cbor_put_map(out, 1);
    cbor_put_text(out, "data");
    cbor_put_bytes(out, bytes_of(extended, PCR_SIZE));
    return NULL;
}

static verdict lock_pcr(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                        int64_t now_ms, struct buffer *out)
{
    (void)now_ms;
    verdict bad = check_index(arguments);
    if (bad != NULL)
        return bad;
    if ((engine->locked & bit(arguments->index)) != 0)
        return READ_ONLY_INDEX;
    engine->locked |= bit(arguments->index);
    cbor_put_text(out, "LockPCR");
    return NULL;
}

static verdict lock_pcrs(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                         int64_t now_ms, struct buffer *out)
{
    (void)now_ms;
    if (!arguments->has_range)
        return INVALID_OPERATION;
    if (arguments->range > PCR_COUNT)
        return INVALID_INDEX;
    for (uint64_t i = 0; i < arguments->range; i++)
        engine->locked |= bit(i);
    cbor_put_text(out, "LockPCRs");
    return NULL;
}

static verdict get_random(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                          int64_t now_ms, struct buffer *out)
{
    (void)engine;
    (void)arguments;
    (void)now_ms;
    uint8_t random[RANDOM_SIZE];
    if (!random_bytes(random, sizeof random))
        return INTERNAL_ERROR;
    cbor_put_map(out, 1);
    cbor_put_text(out, "GetRandom");
    cbor_put_map(out, 1);
    cbor_put_text(out, "random");
    cbor_put_bytes(out, bytes_of(random, sizeof random));
    wipe(random, sizeof random);
    return NULL;
}

static struct attestation_optional claim(struct bytes value)
{
    return (struct attestation_optional){.present = value.at != NULL, .value = value};
}

static struct attestation claims_of(const struct nsm_engine *engine,
                                    const struct nsm_arguments *arguments, int64_t now_ms)
{
    struct attestation claims = {
        .module_id = bytes_text(engine->module_id),
        .timestamp_ms = (uint64_t)now_ms,
        .pcr_present =
            engine->locked, /* a document lists the registers that can no longer change */
        .certificate = buffer_bytes(&engine->leaf.der),
        .cabundle_count = NSM_CERT_COUNT,
        .public_key = claim(arguments->public_key),
        .user_data = claim(arguments->user_data),
        .nonce = claim(arguments->nonce),
    };
    for (size_t i = 0; i < PCR_COUNT; i++)
        claims.pcr[i] = register_of(engine, i);
    for (size_t i = 0; i < NSM_CERT_COUNT; i++)
        claims.cabundle[i] = buffer_bytes(&engine->identity->certs[i]);
    return claims;
}

/* {"Attestation": {"document": bstr}} */
static verdict attestation(struct nsm_engine *engine, const struct nsm_arguments *arguments,
                           int64_t now_ms, struct buffer *out)
{
    if (arguments->user_data.len > USER_DATA_MAX || arguments->nonce.len > USER_DATA_MAX ||
        arguments->public_key.len > PUBLIC_KEY_MAX)
        return INPUT_TOO_LARGE;
    if (arguments->public_key.at != NULL && arguments->public_key.len == 0)
        return INVALID_ARGUMENT;
    if (now_ms < 0 ||
        !nsm_leaf_ensure(&engine->leaf, engine->identity, engine->module_id, now_ms / 1000))
        return INTERNAL_ERROR;
    struct attestation claims = claims_of(engine, arguments, now_ms);
    BUFFER_AUTO document = {.limit = ATTESTATION_DOCUMENT_MAX};
    if (!nsm_document_sign(&document, &engine->leaf, &claims, engine->indefinite_map))
        return INTERNAL_ERROR;
    cbor_put_map(out, 1);
    cbor_put_text(out, "Attestation");
    cbor_put_map(out, 1);
    cbor_put_text(out, "document");
    cbor_put_bytes(out, buffer_bytes(&document));
    return NULL;
}

static const struct operation {
    const char *name;
    bool bare; /* only a text, without arguments */
    verdict (*run)(struct nsm_engine *engine, const struct nsm_arguments *arguments, int64_t now_ms,
                   struct buffer *out);
} operations[] = {
    {"DescribeNSM", true, describe_nsm},  {"GetRandom", true, get_random},
    {"DescribePCR", false, describe_pcr}, {"ExtendPCR", false, extend_pcr},
    {"LockPCR", false, lock_pcr},         {"LockPCRs", false, lock_pcrs},
    {"Attestation", false, attestation},
};

static const struct operation *find_operation(struct bytes name)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (bytes_equal_text(name, operations[i].name))
            return &operations[i];
    return NULL;
}

static verdict dispatch(struct nsm_engine *engine, struct bytes request, int64_t now_ms,
                        struct buffer *out)
{
    if (request.len > NSM_ENGINE_REQUEST_MAX)
        return INPUT_TOO_LARGE;
    struct nsm_request opened;
    if (!nsm_request_parse(&opened, request))
        return INVALID_OPERATION;
    const struct operation *operation = find_operation(opened.name);
    if (operation == NULL || operation->bare != opened.bare)
        return INVALID_OPERATION;
    return operation->run(engine, &opened.arguments, now_ms, out);
}

void nsm_engine_answer(struct nsm_engine *engine, struct bytes request, int64_t now_ms,
                       struct buffer *response)
{
    buffer_reset(response);
    verdict bad = dispatch(engine, request, now_ms, response);
    if (bad == NULL && response->failed)
        bad = BUFFER_TOO_SMALL;
    if (bad == NULL)
        return;
    buffer_reset(response);
    nsm_engine_put_error(response, bytes_text(bad));
    if (response->failed)
        buffer_reset(response);
}

void nsm_engine_put_error(struct buffer *response, struct bytes name)
{
    cbor_put_map(response, 1);
    cbor_put_text(response, "Error");
    cbor_put_text_bytes(response, name);
}

bool nsm_engine_knows_error(struct bytes name)
{
    static const char *const names[] = {"Success",         INVALID_ARGUMENT, INVALID_INDEX,
                                        "InvalidResponse", READ_ONLY_INDEX,  INVALID_OPERATION,
                                        BUFFER_TOO_SMALL,  INPUT_TOO_LARGE,  INTERNAL_ERROR};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (bytes_equal_text(name, names[i]))
            return true;
    return false;
}

bool nsm_engine_knows_request(struct bytes name)
{
    return find_operation(name) != NULL;
}

const char *nsm_engine_module_id(const struct nsm_engine *engine)
{
    return engine->module_id;
}

static bool make_module_id(struct nsm_engine *engine)
{
    uint8_t random[8];
    char digits[2 * sizeof random + 1] = "";
    if (!random_bytes(random, sizeof random))
        return false;
    hex_encode(digits, bytes_of(random, sizeof random));
    snprintf(engine->module_id, sizeof engine->module_id, "%s-enc%s", engine->identity->instance_id,
             digits);
    return true;
}

/* Register 4 measures the instance's id: SHA-384 of 48 zeros and its text. */
static bool set_registers(struct nsm_engine *engine, const struct nsm_engine_config *config)
{
    for (size_t i = 0; i < PCR_COUNT; i++)
        if ((config->pcr_given & bit(i)) != 0)
            memcpy(engine->pcr[i], config->pcr[i], PCR_SIZE);
    if ((config->pcr_given & bit(4)) == 0 &&
        !sha384_pair(engine->pcr[4], register_of(engine, 4),
                     bytes_text(engine->identity->instance_id)))
        return false;
    static const size_t zero_in_debug_mode[] = {0, 1, 2, 8};
    for (size_t i = 0; config->debug_mode && i < ARRAY_LEN(zero_in_debug_mode); i++)
        memset(engine->pcr[zero_in_debug_mode[i]], 0, PCR_SIZE);
    return true;
}

struct nsm_engine *nsm_engine_new(const struct nsm_identity *identity,
                                  const struct nsm_engine_config *config, struct error *err)
{
    struct nsm_engine *engine = calloc(1, sizeof *engine);
    if (engine == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for the module");
        return NULL;
    }
    engine->identity = identity;
    engine->indefinite_map = config->indefinite_map;
    engine->locked = LOCKED_AT_BOOT;
    nsm_leaf_init(&engine->leaf);
    if (make_module_id(engine) && set_registers(engine, config))
        return engine;
    nsm_engine_free(engine);
    error_set(err, ERROR_CRYPTO, "no random bytes, or SHA-384 failed");
    return NULL;
}

void nsm_engine_free(struct nsm_engine *engine)
{
    if (engine == NULL)
        return;
    nsm_leaf_clear(&engine->leaf);
    free(engine);
}
