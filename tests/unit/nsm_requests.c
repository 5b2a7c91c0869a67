/* SPDX-License-Identifier: Apache-2.0 */
/* What the module offers and enclaved does not ask for: its description and its registers. */
#include "tests/unit/nsm_requests.h"

#include "enclave/nsm_call.h"
#include "formats/cbor_types.h"

/* True if key is name; the same name a second time is malformed. bit numbers the member. */
static bool is_member(struct nsm_call *call, unsigned *seen, struct bytes key, const char *name,
                      unsigned bit)
{
    if (!bytes_equal_text(key, name))
        return false;
    if ((*seen & 1u << bit) != 0)
        call->value.failed = true;
    *seen |= 1u << bit;
    return true;
}

/* Whether the value was well-formed to its end and had the first count members. */
static bool complete(const struct nsm_call *call, unsigned seen, unsigned count, struct error *err)
{
    if (!cbor_reader_done(&call->value))
        return nsm_call_malformed(call, "a member of the wrong type, or twice", err);
    if (seen != (1u << count) - 1)
        return nsm_call_malformed(call, "a member is missing", err);
    return true;
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
    struct cbor_items array = cbor_enter(r, CBOR_ARRAY);
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
    NSM_CALL_AUTO call = {.name = "DescribeNSM"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    *out = (struct nsm_description){0};
    cbor_put_text(&request, call.name);
    if (!nsm_call_ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
    unsigned seen = 0;
    while (cbor_next(r, &map)) {
        struct bytes key = cbor_text(r);
        if (is_member(&call, &seen, key, "version_major", 0))
            out->version_major = read_u16(r);
        else if (is_member(&call, &seen, key, "version_minor", 1))
            out->version_minor = read_u16(r);
        else if (is_member(&call, &seen, key, "version_patch", 2))
            out->version_patch = read_u16(r);
        else if (is_member(&call, &seen, key, "module_id", 3))
            read_text(r, out->module_id, sizeof out->module_id);
        else if (is_member(&call, &seen, key, "max_pcrs", 4))
            out->max_pcrs = read_u16(r);
        else if (is_member(&call, &seen, key, "locked_pcrs", 5))
            out->locked_pcrs = read_register_set(r);
        else if (is_member(&call, &seen, key, "digest", 6))
            read_text(r, out->digest, sizeof out->digest);
        else
            (void)cbor_skip(r);
    }
    return complete(&call, seen, 7, err);
}

/* Sends a request whose answer is its bare name. */
static bool command(struct nsm *nsm, struct nsm_call *call, const struct buffer *request,
                    struct error *err)
{
    struct bytes answer = {0};
    if (!nsm_call_exchange(nsm, call, request, &answer, err))
        return false;
    struct cbor_reader r = cbor_reader(answer);
    if (cbor_peek(&r) != CBOR_TEXT)
        return nsm_call_open_answer(call, answer, err) &&
               nsm_call_malformed(call, "it is not a text", err);
    bool same = bytes_equal_text(cbor_text(&r), call->name);
    return (same && cbor_reader_done(&r)) ||
           nsm_call_malformed(call, "it answers another request", err);
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
    NSM_CALL_AUTO call = {.name = "DescribePCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 1, "index", index);
    if (!nsm_call_ask(nsm, &call, &request, err))
        return false;
    struct cbor_reader *r = &call.value;
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
    unsigned seen = 0;
    while (cbor_next(r, &map)) {
        struct bytes key = cbor_text(r);
        if (is_member(&call, &seen, key, "lock", 0))
            *locked = cbor_boolean(r);
        else if (is_member(&call, &seen, key, "data", 1))
            read_register(r, value);
        else
            (void)cbor_skip(r);
    }
    return complete(&call, seen, 2, err);
}

/* {"ExtendPCR": {"index": u, "data": bstr}} → {"ExtendPCR": {"data": bstr}}, the new value */
bool nsm_extend_pcr(struct nsm *nsm, uint16_t index, struct bytes data, uint8_t value[NSM_PCR_SIZE],
                    struct error *err)
{
    NSM_CALL_AUTO call = {.name = "ExtendPCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 2, "index", index);
    cbor_put_text(&request, "data");
    cbor_put_bytes(&request, data);
    struct bytes now;
    if (!nsm_call_ask(nsm, &call, &request, err) || !nsm_call_bytes(&call, "data", &now, err))
        return false;
    if (now.len != NSM_PCR_SIZE)
        return nsm_call_malformed(&call, "a register of another size", err);
    memcpy(value, now.at, NSM_PCR_SIZE);
    return true;
}

/* {"LockPCR": {"index": u}} → "LockPCR" */
bool nsm_lock_pcr(struct nsm *nsm, uint16_t index, struct error *err)
{
    NSM_CALL_AUTO call = {.name = "LockPCR"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 1, "index", index);
    return command(nsm, &call, &request, err);
}

/* {"LockPCRs": {"range": u}} → "LockPCRs" */
bool nsm_lock_pcrs(struct nsm *nsm, uint16_t range, struct error *err)
{
    NSM_CALL_AUTO call = {.name = "LockPCRs"};
    BUFFER_AUTO request = {.limit = NSM_REQUEST_MAX};
    put_request(&request, call.name, 1, "range", range);
    return command(nsm, &call, &request, err);
}
