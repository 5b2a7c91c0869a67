/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/cose.h"

#include "formats/cbor_types.h"

/* RFC 9052, 4.2 and 3.1. */
#define TAG_COSE_SIGN1  18
#define LABEL_ALGORITHM 1
#define LABEL_CRITICAL  2

static bool malformed(struct error *err, const char *what)
{
    return error_set(err, ERROR_FORMAT, "COSE_Sign1: %s", what);
}

static bool is_integer(const struct cbor_reader *r)
{
    enum cbor_type type = cbor_peek(r);
    return type == CBOR_UNSIGNED || type == CBOR_NEGATIVE;
}

/* {1: algorithm, ...}. A header marked critical (2) must be understood, and none is here. */
static bool read_protected(struct cose_sign1 *out, struct error *err)
{
    struct cbor_reader r = cbor_reader(out->protected_header);
    bool found = false;
    struct cbor_items map = cbor_enter(&r, CBOR_MAP);
    while (cbor_next(&r, &map)) {
        int64_t label = 0;
        if (is_integer(&r))
            label = cbor_integer(&r);
        else
            (void)cbor_skip(&r);
        if (label == LABEL_CRITICAL)
            return malformed(err, "critical headers are not supported");
        if (label != LABEL_ALGORITHM) {
            (void)cbor_skip(&r);
            continue;
        }
        if (found)
            return malformed(err, "the algorithm is given twice");
        found = true;
        out->algorithm = cbor_integer(&r);
    }
    if (!cbor_reader_done(&r))
        return malformed(err, "the protected header is not a map with an integer algorithm");
    return found || malformed(err, "the protected header names no algorithm");
}

static bool read_tag(struct cbor_reader *r, enum cose_tag tag, struct error *err)
{
    bool tagged = cbor_peek(r) == CBOR_TAG;
    if (tagged && tag == COSE_UNTAGGED)
        return malformed(err, "it is tagged");
    if (!tagged)
        return tag != COSE_TAGGED || malformed(err, "it is not tagged");
    return cbor_tag(r) == TAG_COSE_SIGN1 || malformed(err, "it has another tag than 18");
}

static bool element(struct cbor_reader *r, struct cbor_items *array, struct error *err)
{
    return cbor_next(r, array) || malformed(err, "it is not an array of four");
}

/* The next element, which must be a byte string; what is the error if it is not. */
static bool bytes_element(struct bytes *out, struct cbor_reader *r, struct cbor_items *array,
                          const char *what, struct error *err)
{
    if (!element(r, array, err))
        return false;
    *out = cbor_bytes(r);
    return r->failed == CBOR_FINE || malformed(err, what);
}

static bool map_element(struct bytes *out, struct cbor_reader *r, struct cbor_items *array,
                        const char *what, struct error *err)
{
    if (!element(r, array, err))
        return false;
    bool is_map = cbor_peek(r) == CBOR_MAP;
    *out = cbor_skip(r);
    return (is_map && r->failed == CBOR_FINE) || malformed(err, what);
}

/* [protected: bstr, unprotected: map, payload: bstr, signature: bstr] */
bool cose_sign1_parse(struct cose_sign1 *out, struct bytes input, enum cose_tag tag,
                      struct error *err)
{
    *out = (struct cose_sign1){0};
    struct cbor_reader r = cbor_reader(input);
    if (!read_tag(&r, tag, err))
        return false;
    struct cbor_items array = cbor_enter(&r, CBOR_ARRAY);
    if (r.failed)
        return malformed(err, "it is not an array");
    if (!bytes_element(&out->protected_header, &r, &array,
                       "the protected header is not a byte string", err) ||
        !map_element(&out->unprotected_header, &r, &array, "the unprotected header is not a map",
                     err) ||
        !bytes_element(&out->payload, &r, &array, "the payload is not a byte string", err) ||
        !bytes_element(&out->signature, &r, &array, "the signature is not a byte string", err))
        return false;
    if (cbor_next(&r, &array) || !cbor_reader_done(&r))
        return malformed(err, "it is not an array of four, or something follows it");
    return read_protected(out, err);
}

void cose_sign1_to_be_signed(struct buffer *out, struct bytes protected_header,
                             struct bytes payload)
{
    cbor_put_array(out, 4);
    cbor_put_text(out, "Signature1");
    cbor_put_bytes(out, protected_header);
    cbor_put_bytes(out, bytes_of(NULL, 0)); /* external_aad */
    cbor_put_bytes(out, payload);
}

void cose_put_protected(struct buffer *out, enum cose_algorithm algorithm)
{
    cbor_put_map(out, 1);
    cbor_put_unsigned(out, LABEL_ALGORITHM);
    cbor_put_integer(out, algorithm);
}

void cose_put_sign1(struct buffer *out, struct bytes protected_header, struct bytes payload,
                    struct bytes signature)
{
    cbor_put_array(out, 4);
    cbor_put_bytes(out, protected_header);
    cbor_put_map(out, 0);
    cbor_put_bytes(out, payload);
    cbor_put_bytes(out, signature);
}
