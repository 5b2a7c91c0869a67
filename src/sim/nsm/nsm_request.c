/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_request.h"

#include "formats/cbor_types.h"

/* A byte string, or null. */
static struct bytes read_optional(struct cbor_reader *r)
{
    return cbor_null(r) ? bytes_of(NULL, 0) : cbor_bytes(r);
}

/* The data to extend with may also be text, as in QEMU. */
static struct bytes read_data(struct cbor_reader *r)
{
    return cbor_peek(r) == CBOR_TEXT ? cbor_text(r) : cbor_bytes(r);
}

static void read_arguments(struct nsm_arguments *out, struct cbor_reader *r)
{
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
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
}

/* A request is a name, or a map with one entry whose key is the name; the reader then stands before
 * the arguments. */
static struct bytes open_request(struct cbor_reader *r, bool *bare)
{
    *bare = cbor_peek(r) == CBOR_TEXT;
    if (*bare)
        return cbor_text(r);
    struct cbor_items map = cbor_enter(r, CBOR_MAP);
    if (!cbor_next(r, &map) || (!map.indefinite && map.left > 0)) {
        cbor_fail(r, CBOR_WRONG_TYPE);
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

bool nsm_request_parse(struct nsm_request *out, struct bytes request)
{
    *out = (struct nsm_request){0};
    struct cbor_reader r = cbor_reader(request);
    out->name = open_request(&r, &out->bare);
    if (!out->bare)
        read_arguments(&out->arguments, &r);
    return at_end(&r, request);
}

struct bytes nsm_request_name(struct bytes request)
{
    struct cbor_reader r = cbor_reader(request);
    bool bare;
    struct bytes name = open_request(&r, &bare);
    return r.failed ? bytes_of(NULL, 0) : name;
}
