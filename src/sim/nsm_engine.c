/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm_engine.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/hex.h"
#include "base/secret.h"
#include "codec/attestation.h"
#include "codec/cbor_more.h"
#include "codec/cose.h"
#include "crypto/hash.h"

#define LOCKED_AT_BOOT 0xffffu /* registers 0..15 */
#define RANDOM_SIZE    256     /* bytes one GetRandom gives */
#define EXTEND_MAX     512
#define USER_DATA_MAX  512 /* and of a nonce */
#define PUBLIC_KEY_MAX 1024
#define LEAF_LIFE_S    (3 * 3600)
#define LEAF_RENEW_S   600 /* left of a leaf's life when a new one is made */
#define MODULE_ID_SIZE 40

_Static_assert(NSM_ENGINE_PCRS == PCR_COUNT && NSM_ENGINE_PCR_SIZE == PCR_SIZE, "one kind of PCR");

struct nsm_engine {
    const struct nsm_identity *identity;
    char module_id[MODULE_ID_SIZE];
    uint8_t pcr[PCR_COUNT][PCR_SIZE];
    uint32_t locked;
    bool indefinite_map;
    struct pki_key *leaf_key; /* NULL until the first document */
    struct buffer leaf;
    int64_t leaf_from_s, leaf_to_s;
};

/* NULL is success; otherwise the error's name. */
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

/*
 * What arguments a request may have; those it does not know are skipped. at stays NULL for an
 * argument that is absent or null.
 */
struct arguments {
    bool has_index, has_range;
    uint64_t index, range;
    struct bytes data, user_data, nonce, public_key;
};

/* A byte string, or null. */
static struct bytes read_optional(struct cbor_reader *r)
{
    return cbor_null(r) ? bytes_of(NULL, 0) : cbor_bytes(r);
}

/* Data to extend with may be text as well, as QEMU has it. */
static struct bytes read_data(struct cbor_reader *r)
{
    return cbor_peek(r) == CBOR_TEXT ? cbor_text(r) : cbor_bytes(r);
}

static verdict read_arguments(struct arguments *out, struct cbor_reader *r)
{
    *out = (struct arguments){0};
    struct cbor_items map = cbor_enter_map(r);
    while (cbor_next(r, &map)) {
        struct bytes key = cbor_text(r);
        if (bytes_equal_text(key, "index")) {
            out->index = cbor_unsigned(r);
            out->has_index = true;
        } else if (bytes_equal_text(key, "range")) {
            out->range = cbor_unsigned(r);
            out->has_range = true;
        } else if (bytes_equal_text(key, "data")) {
            out->data = read_data(r);
        } else if (bytes_equal_text(key, "user_data")) {
            out->user_data = read_optional(r);
        } else if (bytes_equal_text(key, "nonce")) {
            out->nonce = read_optional(r);
        } else if (bytes_equal_text(key, "public_key")) {
            out->public_key = read_optional(r);
        } else {
            (void)cbor_skip(r);
        }
    }
    return r->failed ? INVALID_OPERATION : NULL;
}

static verdict check_index(const struct arguments *arguments)
{
    if (!arguments->has_index)
        return INVALID_OPERATION;
    return arguments->index < PCR_COUNT ? NULL : INVALID_INDEX;
}

/* {"DescribeNSM": {"version_major": u, …, "locked_pcrs": [u…], "digest": "SHA384"}} */
static verdict describe_nsm(struct nsm_engine *engine, const struct arguments *arguments,
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
static verdict describe_pcr(struct nsm_engine *engine, const struct arguments *arguments,
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
static verdict extend_pcr(struct nsm_engine *engine, const struct arguments *arguments,
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

static verdict lock_pcr(struct nsm_engine *engine, const struct arguments *arguments,
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

static verdict lock_pcrs(struct nsm_engine *engine, const struct arguments *arguments,
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

static verdict get_random(struct nsm_engine *engine, const struct arguments *arguments,
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

/* A leaf for now: the one there is, or a new key and certificate when its three hours run out. */
static bool ensure_leaf(struct nsm_engine *engine, int64_t now_s)
{
    if (engine->leaf_key != NULL && now_s >= engine->leaf_from_s &&
        now_s < engine->leaf_to_s - LEAF_RENEW_S)
        return true;
    char name[64];
    snprintf(name, sizeof name, "%s." NSM_REGION ".aws", engine->module_id);
    struct pki_subject subject = {
        .common_name = name,
        .organizational_unit = "simulated NSM",
        .not_before_s = now_s,
        .not_after_s = now_s + LEAF_LIFE_S,
        .role = PKI_NSM_LEAF,
    };
    pki_key_free(engine->leaf_key);
    buffer_reset(&engine->leaf);
    engine->leaf_key = pki_key_new(NULL);
    bool made = engine->leaf_key != NULL &&
                pki_issue(&engine->leaf, &subject, engine->leaf_key,
                          buffer_bytes(&engine->identity->certs[NSM_CERT_INSTANCE]),
                          engine->identity->instance_key, NULL);
    if (!made) {
        pki_key_free(engine->leaf_key);
        engine->leaf_key = NULL;
    }
    engine->leaf_from_s = now_s;
    engine->leaf_to_s = subject.not_after_s;
    return made;
}

static struct attestation_optional claim(struct bytes value)
{
    return (struct attestation_optional){.present = value.at != NULL, .value = value};
}

static struct attestation claims_of(const struct nsm_engine *engine,
                                    const struct arguments *arguments, int64_t now_ms)
{
    struct attestation claims = {
        .module_id = bytes_text(engine->module_id),
        .timestamp_ms = (uint64_t)now_ms,
        .pcr_present = engine->locked, /* a document lists what can no longer change */
        .certificate = buffer_bytes(&engine->leaf),
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

static bool sign_document(const struct nsm_engine *engine, const struct attestation *claims,
                          struct buffer *document)
{
    BUFFER_AUTO header = {.limit = 64};
    BUFFER_AUTO payload = {.limit = ATTESTATION_DOCUMENT_MAX};
    BUFFER_AUTO to_be_signed = {.limit = ATTESTATION_DOCUMENT_MAX + 64};
    uint8_t signature[96];
    attestation_put(&payload, claims, engine->indefinite_map);
    cose_put_protected(&header, COSE_ES384);
    cose_sign1_to_be_signed(&to_be_signed, buffer_bytes(&header), buffer_bytes(&payload));
    if (payload.failed || to_be_signed.failed ||
        !pki_sign_es384(engine->leaf_key, buffer_bytes(&to_be_signed), signature))
        return false;
    cose_put_sign1(document, buffer_bytes(&header), buffer_bytes(&payload),
                   bytes_of(signature, sizeof signature));
    return !document->failed;
}

/* {"Attestation": {"document": bstr}} */
static verdict attestation(struct nsm_engine *engine, const struct arguments *arguments,
                           int64_t now_ms, struct buffer *out)
{
    if (arguments->user_data.len > USER_DATA_MAX || arguments->nonce.len > USER_DATA_MAX ||
        arguments->public_key.len > PUBLIC_KEY_MAX)
        return INPUT_TOO_LARGE;
    if (arguments->public_key.at != NULL && arguments->public_key.len == 0)
        return INVALID_ARGUMENT;
    if (now_ms < 0 || !ensure_leaf(engine, now_ms / 1000))
        return INTERNAL_ERROR;
    struct attestation claims = claims_of(engine, arguments, now_ms);
    BUFFER_AUTO document = {.limit = ATTESTATION_DOCUMENT_MAX};
    if (!sign_document(engine, &claims, &document))
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
    bool bare; /* a text alone, without arguments */
    verdict (*run)(struct nsm_engine *engine, const struct arguments *arguments, int64_t now_ms,
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

/* A request is its name, or a map of one entry, its name; then value stands before the arguments.
 */
static struct bytes open_request(struct cbor_reader *r, bool *bare)
{
    *bare = cbor_peek(r) == CBOR_TEXT;
    if (*bare)
        return cbor_text(r);
    struct cbor_items map = cbor_enter_map(r);
    if (!cbor_next(r, &map) || (!map.indefinite && map.left > 0)) {
        r->failed = true;
        return bytes_of(NULL, 0);
    }
    return cbor_text(r);
}

/* What follows the arguments: nothing, or the end of an outer map of indefinite length. */
static bool at_end(struct cbor_reader *r, struct bytes request)
{
    bool indefinite = request.len > 0 && request.at[0] == 0xbf;
    if (indefinite && cbor_peek(r) == CBOR_BREAK)
        r->at++;
    return cbor_reader_done(r);
}

static verdict dispatch(struct nsm_engine *engine, struct bytes request, int64_t now_ms,
                        struct buffer *out)
{
    if (request.len > NSM_ENGINE_REQUEST_MAX)
        return INPUT_TOO_LARGE;
    struct cbor_reader r = cbor_reader(request);
    struct arguments arguments = {0};
    bool bare;
    const struct operation *operation = find_operation(open_request(&r, &bare));
    if (r.failed || operation == NULL || operation->bare != bare)
        return INVALID_OPERATION;
    verdict bad = bare ? NULL : read_arguments(&arguments, &r);
    if (bad == NULL && !at_end(&r, request))
        bad = INVALID_OPERATION;
    return bad != NULL ? bad : operation->run(engine, &arguments, now_ms, out);
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

struct bytes nsm_engine_request_name(struct bytes request)
{
    struct cbor_reader r = cbor_reader(request);
    bool bare;
    struct bytes name = open_request(&r, &bare);
    return r.failed ? bytes_of(NULL, 0) : name;
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
        error_set(err, ERROR_MEMORY, "no memory for a module");
        return NULL;
    }
    engine->identity = identity;
    engine->indefinite_map = config->indefinite_map;
    engine->locked = LOCKED_AT_BOOT;
    buffer_init(&engine->leaf, ATTESTATION_CERT_MAX);
    if (make_module_id(engine) && set_registers(engine, config))
        return engine;
    nsm_engine_free(engine);
    error_set(err, ERROR_CRYPTO, "no random numbers or no SHA-384");
    return NULL;
}

void nsm_engine_free(struct nsm_engine *engine)
{
    if (engine == NULL)
        return;
    pki_key_free(engine->leaf_key);
    buffer_clear(&engine->leaf);
    free(engine);
}
