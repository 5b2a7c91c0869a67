/* SPDX-License-Identifier: Apache-2.0 */
/* CBOR: skipping and reading agree on every input, and neither reads past its end. */
#include "fuzz/fuzz.h"

#include "formats/cbor_types.h"
#include "formats/cose.h"

/* Reads whatever comes next with the function for its type; containers one level deep. */
static void read_any(struct cbor_reader *r)
{
    struct cbor_items items;
    switch (cbor_peek(r)) {
    case CBOR_UNSIGNED:
        (void)cbor_unsigned(r);
        break;
    case CBOR_NEGATIVE:
        (void)cbor_integer(r);
        break;
    case CBOR_BYTES:
        (void)cbor_bytes(r);
        break;
    case CBOR_TEXT:
        (void)cbor_text(r);
        break;
    case CBOR_ARRAY:
        items = cbor_enter(r, CBOR_ARRAY);
        while (cbor_next(r, &items))
            (void)cbor_skip(r);
        break;
    case CBOR_MAP:
        items = cbor_enter(r, CBOR_MAP);
        while (cbor_next(r, &items)) {
            (void)cbor_skip(r);
            (void)cbor_skip(r);
        }
        break;
    case CBOR_TAG:
        (void)cbor_tag(r);
        break;
    default:
        if (!cbor_null(r))
            (void)cbor_skip(r);
        break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    struct cbor_reader skipper = cbor_reader(input);
    while (!skipper.failed && skipper.at < size) {
        size_t before = skipper.at;
        struct cbor_reader reader = skipper;
        struct bytes item = cbor_skip(&skipper);
        read_any(&reader);
        FUZZ_CHECK(skipper.failed ? item.len == 0 : item.len == skipper.at - before);
        /* What was read as a whole ends where skipping it ended. */
        if (!skipper.failed && !reader.failed)
            FUZZ_CHECK(reader.at == skipper.at);
    }
    FUZZ_CHECK(skipper.at <= size);
    struct cose_sign1 cose;
    if (cose_sign1_parse(&cose, input, COSE_TAG_OPTIONAL, NULL))
        FUZZ_CHECK(cose.protected_header.len + cose.payload.len + cose.signature.len < size);
    return 0;
}
