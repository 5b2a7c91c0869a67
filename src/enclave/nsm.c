/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The NSM's requests and answers in CBOR. Each answer is {"Request": value} (or, where there is
 * nothing to say, the text "Request"), a refusal {"Error": "Name"}. Members are found by key, in
 * whatever order they come (QEMU's module sends "data" before "lock"); unknown ones are skipped, a
 * member that comes twice is an error.
 */
#include "enclave/nsm.h"

#include "base/secret.h"
#include "codec/cbor.h"

/* One exchange: what was asked, and the answer, which may hold random bytes and is wiped. */
struct call {
    const char *name;
    uint8_t response[NSM_RESPONSE_MAX];
    struct cbor_reader value; /* stands before what belongs to name */
    unsigned seen;            /* bit for each member read so far */
};

static void call_wipe(struct call *call)
{
    wipe(call, sizeof *call);
}

#define CALL_AUTO __attribute__((cleanup(call_wipe))) struct call

static bool malformed(const struct call *call, const char *what, struct error *err)
{
    return error_set(err, ERROR_NSM, "NSM %s: the answer is malformed: %s", call->name, what);
}

/* aws-nitro-enclaves-nsm-api, src/api: ErrorCode. */
static const char *const module_errors[] = {
    "Success",          "InvalidArgument", "InvalidIndex",  "InvalidResponse", "ReadOnlyIndex",
    "InvalidOperation", "BufferTooSmall",  "InputTooLarge", "InternalError",
};

/* Names only what is known: a cause never carries text of the module's own making. */
static bool refused(const struct call *call, struct bytes name, struct error *err)
{
    for (size_t i = 0; i < ARRAY_LEN(module_errors); i++)
        if (bytes_equal_text(name, module_errors[i]))
            return error_set(err, ERROR_NSM, "NSM %s: the module refused with %s", call->name,
                             module_errors[i]);
    return error_set(err, ERROR_NSM, "NSM %s: the module refused with an unknown error",
                     call->name);
}

/* True if key is name; the same name a second time is malformed. bit numbers the member. */
static bool is_member(struct call *call, struct bytes key, const char *name, unsigned bit)
{
    if (!bytes_equal_text(key, name))
        return false;
    if ((call->seen & 1u << bit) != 0)
        call->value.failed = true;
    call->seen |= 1u << bit;
    return true;
}

/* Whether the value was well-formed to its end and had the first count members. */
static bool complete(const struct call *call, unsigned count, struct error *err)
{
    if (!cbor_reader_done(&call->value))
        return malformed(call, "a member of the wrong type, or twice", err);
    if (call->seen != (1u << count) - 1)
        return malformed(call, "a member is missing", err);
    return true;
}

/* Answers of one entry: finds the value of call->name, or the module's error. */
static bool open_answer(struct call *call, struct bytes answer, struct error *err)
{
    struct cbor_reader r = cbor_reader(answer);
    struct bytes value = {0};
    struct bytes error_name = {0};
    bool twice = false;
    struct cbor_items map = cbor_enter_map(&r);
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
        return malformed(call, "it answers another request", err);
    call->value = cbor_reader(value);
    return true;
}

static bool exchange(struct nsm *nsm, struct call *call, const struct buffer *request,
                     struct bytes *answer, struct error *err)
{
    if (request->failed || request->len > NSM_REQUEST_MAX)
        return error_set(err, ERROR_NSM, "NSM %s: the request exceeds %u bytes", call->name,
                         NSM_REQUEST_MAX);
    size_t len = 0;
    struct error why = {0};
    if (!nsm->transport.exchange(nsm->transport.context, buffer_bytes(request), call->response,
                                 &len, &why))
        return error_set(err, ERROR_NSM, "NSM %s: %s", call->name, why.cause);
    if (len == 0 || len > sizeof call->response)
        return malformed(call, len == 0 ? "it is empty" : "it is too long", err);
    *answer = bytes_of(call->response, len);
    return true;
}

/* Sends a request and stands before the value in its answer. */
static bool ask(struct nsm *nsm, struct call *call, const struct buffer *request, struct error *err)
{
    struct bytes answer = {0};
    return exchange(nsm, call, request, &answer, err) && open_answer(call, answer, err);
}

/* Sends a request whose answer is its bare name. */
static bool command(struct nsm *nsm, struct call *call, const struct buffer *request,
                    struct error *err)
{
    struct bytes answer = {0};
    if (!exchange(nsm, call, request, &answer, err))
        return false;
    struct cbor_reader r = cbor_reader(answer);
    if (cbor_peek(&r) != CBOR_TEXT)
        return open_answer(call, answer, err) && malformed(call, "it is not a text", err);
    bool same = bytes_equal_text(cbor_text(&r), call->name);
    return (same && cbor_reader_done(&r)) || malformed(call, "it answers another request", err);
}

/* {"Name": {"key": u … — one or two arguments; the second, if any, is put by the caller. */
static void put_request(struct buffer *request, const char *name, uint64_t arguments,
                        const char *key, uint64_t value)
{
    cbor_put_map(request, 1);
    cbor_put_text(request, name);
    cbor_put_map(request, arguments);
    cbor_put_text(request, key);
    cbor_put_unsigned(request, value);
}

void nsm_close(struct nsm *nsm)
{
    if (nsm->transport.close != NULL)
        nsm->transport.close(nsm->transport.context);
    *nsm = (struct nsm){0};
}

static uint16_t read_u16(struct cbor_reader *r)
{
    uint64_t value = cbor_unsigned(r);
    if (value > UINT16_MAX)
        r->failed = true;
    return r->failed ? 0 : (uint16_t)value;
}

/* A text that becomes a C string: shorter than size and without a zero inside. */
static void read_text(struct cbor_reader *r, char *out, size_t size)
{
    struct bytes text = cbor_text(r);
    if (text.len >= size || (text.len > 0 && memchr(text.at, 0, text.len) != NULL)) {
        r->failed = true;
        return;
    }
    if (text.len > 0)
        memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

static uint32_t read_register_set(struct cbor_reader *r)
{
    uint32_t set = 0;
    struct cbor_items array = cbor_enter_array(r);
    while (cbor_next(r, &array)) {
        uint64_t index = cbor_unsigned(r);
        if (index >= NSM_PCR_COUNT)
            r->failed = true;
        else
            set |= (uint32_t)1 << index;
    }
    return set;
}

/*
 * "DescribeNSM" → {"DescribeNSM": {"version_major": u, "version_minor": u, "version_patch": u,
 *     "module_id": text, "max_pcrs": u, "locked_pcrs": [u…], "digest": text}}
 */
bool nsm_describe(struct nsm *nsm, struct nsm_description *out, struct error *err)
{
    CALL_AUTO call = {.name = "DescribeNSM"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    *out = (struct nsm_description){0};
    cbor_put_text(&request, call.name);
    if (!ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct cbor_items map = cbor_enter_map(r);
    while (cbor_next(r, &map)) {
        struct bytes key = cbor_text(r);
        if (is_member(&call, key, "version_major", 0))
            out->version_major = read_u16(r);
        else if (is_member(&call, key, "version_minor", 1))
            out->version_minor = read_u16(r);
        else if (is_member(&call, key, "version_patch", 2))
            out->version_patch = read_u16(r);
        else if (is_member(&call, key, "module_id", 3))
            read_text(r, out->module_id, sizeof out->module_id);
        else if (is_member(&call, key, "max_pcrs", 4))
            out->max_pcrs = read_u16(r);
        else if (is_member(&call, key, "locked_pcrs", 5))
            out->locked_pcrs = read_register_set(r);
        else if (is_member(&call, key, "digest", 6))
            read_text(r, out->digest, sizeof out->digest);
        else
            (void)cbor_skip(r);
    }
    return complete(&call, 7, err);
}

/* Copies a register's value; any other length is a failure of the reader. */
static void read_register(struct cbor_reader *r, uint8_t value[NSM_PCR_SIZE])
{
    struct bytes data = cbor_bytes(r);
    if (data.len == NSM_PCR_SIZE)
        memcpy(value, data.at, NSM_PCR_SIZE);
    else
        r->failed = true;
}

/* {"DescribePCR": {"index": u}} → {"DescribePCR": {"lock": bool, "data": bstr}} */
bool nsm_describe_pcr(struct nsm *nsm, uint16_t index, bool *locked, uint8_t value[NSM_PCR_SIZE],
                      struct error *err)
{
    CALL_AUTO call = {.name = "DescribePCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 1, "index", index);
    if (!ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct cbor_items map = cbor_enter_map(r);
    while (cbor_next(r, &map)) {
        struct bytes key = cbor_text(r);
        if (is_member(&call, key, "lock", 0))
            *locked = cbor_boolean(r);
        else if (is_member(&call, key, "data", 1))
            read_register(r, value);
        else
            (void)cbor_skip(r);
    }
    return complete(&call, 2, err);
}

/* {"ExtendPCR": {"index": u, "data": bstr}} → {"ExtendPCR": {"data": bstr}}, the new value */
bool nsm_extend_pcr(struct nsm *nsm, uint16_t index, struct bytes data, uint8_t value[NSM_PCR_SIZE],
                    struct error *err)
{
    CALL_AUTO call = {.name = "ExtendPCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 2, "index", index);
    cbor_put_text(&request, "data");
    cbor_put_bytes(&request, data);
    if (!ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct cbor_items map = cbor_enter_map(r);
    while (cbor_next(r, &map)) {
        if (is_member(&call, cbor_text(r), "data", 0))
            read_register(r, value);
        else
            (void)cbor_skip(r);
    }
    return complete(&call, 1, err);
}

/* {"LockPCR": {"index": u}} → "LockPCR" */
bool nsm_lock_pcr(struct nsm *nsm, uint16_t index, struct error *err)
{
    CALL_AUTO call = {.name = "LockPCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 1, "index", index);
    return command(nsm, &call, &request, err);
}

/* {"LockPCRs": {"range": u}} → "LockPCRs" */
bool nsm_lock_pcrs(struct nsm *nsm, uint16_t range, struct error *err)
{
    CALL_AUTO call = {.name = "LockPCRs"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 1, "range", range);
    return command(nsm, &call, &request, err);
}

/* "GetRandom" → {"GetRandom": {"random": bstr}}, 1 to 256 bytes. Takes at most len of them. */
static bool get_some_random(struct nsm *nsm, uint8_t *out, size_t len, size_t *got,
                            struct error *err)
{
    CALL_AUTO call = {.name = "GetRandom"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    cbor_put_text(&request, call.name);
    if (!ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct bytes random = {0};
    struct cbor_items map = cbor_enter_map(r);
    while (cbor_next(r, &map)) {
        if (is_member(&call, cbor_text(r), "random", 0))
            random = cbor_bytes(r);
        else
            (void)cbor_skip(r);
    }
    if (!complete(&call, 1, err))
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

static void put_claim(struct buffer *request, const char *key, struct bytes value)
{
    cbor_put_text(request, key);
    if (value.at == NULL)
        cbor_put_null(request);
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
    CALL_AUTO call = {.name = "Attestation"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    if (claims->user_data.len > NSM_USER_DATA_MAX || claims->nonce.len > NSM_USER_DATA_MAX ||
        claims->public_key.len > NSM_PUBLIC_KEY_MAX)
        return error_set(err, ERROR_NSM,
                         "NSM Attestation: user_data, nonce or public_key is too long");
    cbor_put_map(&request, 1);
    cbor_put_text(&request, call.name);
    cbor_put_map(&request, 3);
    put_claim(&request, "user_data", claims->user_data);
    put_claim(&request, "nonce", claims->nonce);
    put_claim(&request, "public_key", claims->public_key);
    if (!ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct bytes view = {0};
    struct cbor_items map = cbor_enter_map(r);
    while (cbor_next(r, &map)) {
        if (is_member(&call, cbor_text(r), "document", 0))
            view = cbor_bytes(r);
        else
            (void)cbor_skip(r);
    }
    if (!complete(&call, 1, err))
        return false;
    if (view.len == 0)
        return malformed(&call, "the document is empty", err);
    buffer_append(document, view);
    if (document->failed)
        return error_set(err, ERROR_NSM, "NSM Attestation: no room for the document");
    return true;
}
