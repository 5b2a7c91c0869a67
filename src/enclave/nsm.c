/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NSM's requests and answers in CBOR. Each answer is {"Request": value}, each refusal
 * {"Error": "Name"}. Members are found by key, in any order (QEMU's module sends "data" before
 * "lock"); unknown ones are skipped; a member that comes twice is an error.
 */
#include "enclave/nsm.h"

#include "base/secret.h"
#include "codec/cbor.h"

/* One exchange: what was asked, and the answer, which may hold random bytes and is wiped. */
struct nsm_call {
    const char *name;
    uint8_t response[NSM_RESPONSE_MAX];
    struct cbor_reader value; /* stands before what belongs to name */
};

static void call_wipe(struct nsm_call *call)
{
    wipe(call, sizeof *call);
}

#define NSM_CALL_AUTO __attribute__((cleanup(call_wipe))) struct nsm_call

static bool malformed(const struct nsm_call *call, const char *what, struct error *err)
{
    return error_set(err, ERROR_NSM, "NSM %s: the answer is malformed: %s", call->name, what);
}

/* aws-nitro-enclaves-nsm-api, src/api: ErrorCode. */
static const char *const module_errors[] = {
    "Success",          "InvalidArgument", "InvalidIndex",  "InvalidResponse", "ReadOnlyIndex",
    "InvalidOperation", "BufferTooSmall",  "InputTooLarge", "InternalError",
};

/* Names only what is known: a cause never carries text of the module's own making. */
static bool refused(const struct nsm_call *call, struct bytes name, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(module_errors); i++)
        if (bytes_equal_text(name, module_errors[i]))
            return error_set(err, ERROR_NSM, "NSM %s: the module refused with %s", call->name,
                             module_errors[i]);
    return error_set(err, ERROR_NSM, "NSM %s: the module refused with an unknown error",
                     call->name);
}

/* Finds the value of call->name in the answer, or the module's error. */
static bool open_answer(struct nsm_call *call, struct bytes answer, struct error *err)
{
    struct cbor_reader r = cbor_reader(answer);
    struct bytes value = {0};
    struct bytes error_name = {0};
    bool twice = false;
    struct cbor_items map = cbor_enter(&r, CBOR_MAP);
    while (cbor_next(&r, &map)) {
        struct bytes key = cbor_text(&r);
        if (bytes_equal_text(key, "Error")) {
            twice = twice || error_name.at != NULL;
            error_name = cbor_text(&r);
        } else if (bytes_equal_text(key, call->name)) {
            twice = twice || value.at != NULL;
            value = cbor_skip(&r);
        } else {
            (void)cbor_skip(&r);
        }
    }
    if (!cbor_reader_done(&r) || twice)
        return malformed(call, "not one map of text keys", err);
    if (error_name.at != NULL)
        return refused(call, error_name, err);
    if (value.at == NULL)
        return malformed(call, "it answers a different request", err);
    call->value = cbor_reader(value);
    return true;
}

/* Sends a request, which its limits keep within NSM_REQUEST_MAX, and opens the answer. */
static bool ask(struct nsm *nsm, struct nsm_call *call, const struct buffer *request,
                struct error *err)
{
    if (request->failed)
        return error_set(err, ERROR_NSM, "NSM %s: no memory for the request", call->name);
    size_t len = 0;
    struct error why = {0};
    if (!nsm->transport.exchange(nsm->transport.context, buffer_bytes(request), call->response,
                                 &len, &why))
        return error_set(err, ERROR_NSM, "NSM %s: %s", call->name, why.cause);
    if (len == 0 || len > sizeof call->response)
        return malformed(call, len == 0 ? "it is empty" : "it is too long", err);
    return open_answer(call, bytes_of(call->response, len), err);
}

/* Reads a value that is {"name": bstr}, besides members that are not known. */
static bool read_bytes(struct nsm_call *call, const char *name, struct bytes *out,
                       struct error *err)
{
    struct cbor_reader *r = &call->value;
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
    bool twice = false;
    *out = (struct bytes){0};
    while (cbor_next(r, &map)) {
        bool wanted = bytes_equal_text(cbor_text(r), name);
        twice = twice || (wanted && out->at != NULL);
        if (wanted)
            *out = cbor_bytes(r);
        else
            (void)cbor_skip(r);
    }
    if (!cbor_reader_done(r) || twice)
        return malformed(call, "a member has the wrong type or occurs twice", err);
    return out->at != NULL || malformed(call, "a member is missing", err);
}

void nsm_close(struct nsm *nsm)
{
    if (nsm->transport.close != NULL)
        nsm->transport.close(nsm->transport.context);
    *nsm = (struct nsm){0};
}

/* "GetRandom" → {"GetRandom": {"random": bstr}}, 1 to 256 bytes. Takes at most len of them. */
static bool get_some_random(struct nsm *nsm, uint8_t *out, size_t len, size_t *got,
                            struct error *err)
{
    NSM_CALL_AUTO call = {.name = "GetRandom"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    struct bytes random;
    cbor_put_text(&request, call.name);
    if (!ask(nsm, &call, &request, err) || !read_bytes(&call, "random", &random, err))
        return false;
    if (random.len == 0 || random.len > NSM_RANDOM_MAX)
        return malformed(&call, random.len == 0 ? "no random bytes" : "too many random bytes", err);
    *got = random.len < len ? random.len : len;
    memcpy(out, random.at, *got);
    return true;
}

#define RANDOM_TOTAL_MAX 65536

bool nsm_get_random(struct nsm *nsm, uint8_t *out, size_t len, struct error *err)
{
    if (len > RANDOM_TOTAL_MAX)
        return error_set(err, ERROR_NSM, "NSM GetRandom: more than %d bytes asked for",
                         RANDOM_TOTAL_MAX);
    size_t have = 0;
    while (have < len) {
        size_t got = 0;
        if (!get_some_random(nsm, out + have, len - have, &got, err)) {
            wipe(out, len);
            return false;
        }
        have += got;
    }
    return true;
}

/* {"DescribePCR": {"index": u}} → {"DescribePCR": {"lock": bool, "data": bstr}} */
bool nsm_read_pcr(struct nsm *nsm, uint16_t index, uint8_t value[NSM_PCR_SIZE], struct error *err)
{
    NSM_CALL_AUTO call = {.name = "DescribePCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    struct bytes data;
    cbor_put_head(&request, CBOR_MAP, 1);
    cbor_put_text(&request, call.name);
    cbor_put_head(&request, CBOR_MAP, 1);
    cbor_put_text(&request, "index");
    cbor_put_head(&request, CBOR_UNSIGNED, index);
    if (!ask(nsm, &call, &request, err) || !read_bytes(&call, "data", &data, err))
        return false;
    if (data.len != NSM_PCR_SIZE)
        return malformed(&call, "a register is not 48 bytes", err);
    memcpy(value, data.at, NSM_PCR_SIZE);
    return true;
}

static void put_claim(struct buffer *request, const char *key, struct bytes value)
{
    cbor_put_text(request, key);
    if (value.at == NULL)
        cbor_put_head(request, CBOR_SIMPLE, CBOR_NULL);
    else
        cbor_put_bytes(request, value);
}

/*
 * {"Attestation": {"user_data": bstr / null, "nonce": bstr / null, "public_key": bstr / null}}
 *     → {"Attestation": {"document": bstr}}
 */
bool nsm_attest(struct nsm *nsm, const struct nsm_claims *claims, struct buffer *document,
                struct error *err)
{
    NSM_CALL_AUTO call = {.name = "Attestation"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    struct bytes view;
    if (claims->user_data.len > NSM_USER_DATA_MAX || claims->nonce.len > NSM_USER_DATA_MAX ||
        claims->public_key.len > NSM_PUBLIC_KEY_MAX)
        return error_set(err, ERROR_NSM,
                         "NSM Attestation: user_data, nonce or public_key is too long");
    cbor_put_head(&request, CBOR_MAP, 1);
    cbor_put_text(&request, call.name);
    cbor_put_head(&request, CBOR_MAP, 3);
    put_claim(&request, "user_data", claims->user_data);
    put_claim(&request, "nonce", claims->nonce);
    put_claim(&request, "public_key", claims->public_key);
    if (!ask(nsm, &call, &request, err) || !read_bytes(&call, "document", &view, err))
        return false;
    if (view.len == 0)
        return malformed(&call, "the document is empty", err);
    buffer_append(document, view);
    if (document->failed)
        return error_set(err, ERROR_NSM, "NSM Attestation: no memory for the document");
    return true;
}
