/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical requests: one byte of choices, then path '\n' query '\n' name '\n' value. */
#include "fuzz/fuzz.h"

#include "formats/sigv4_canonical.h"

#define LIMIT (1u << 20)

static struct bytes cut(struct bytes *rest)
{
    const uint8_t *end = rest->len > 0 ? memchr(rest->at, '\n', rest->len) : NULL;
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->at);
    struct bytes line = bytes_of(rest->at, len);
    *rest = bytes_from(*rest, len + 1);
    return line;
}

/* The third line of a canonical request, after method and path. */
static struct bytes canonical_query(const struct buffer *canonical)
{
    struct bytes rest = buffer_bytes(canonical);
    (void)cut(&rest);
    (void)cut(&rest);
    return cut(&rest);
}

static bool canonical_request(struct buffer *out, const struct sigv4_request *request,
                              bool normalize)
{
    SIGV4_CANONICAL_AUTO form;
    return sigv4_canonicalize(&form, request, normalize) &&
           sigv4_canonical_request(out, &form.request);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes rest = bytes_of(data + 1, size - 1);
    struct sigv4_header headers[3];
    struct sigv4_request request = {
        .method = bytes_text("POST"), .headers = headers, .header_count = data[0] >> 1 & 3};
    request.path = cut(&rest);
    request.query = cut(&rest);
    for (size_t i = 0; i < request.header_count; i++) {
        headers[i].name = cut(&rest);
        headers[i].value = cut(&rest);
    }
    request.payload = rest;
    BUFFER_AUTO once, twice;
    buffer_init(&once, LIMIT);
    buffer_init(&twice, LIMIT);
    if (!canonical_request(&once, &request, data[0] & 1))
        return 0;
    FUZZ_CHECK(once.len > 64);
    /* A canonical query is its own canonical form. */
    struct sigv4_request again = request;
    again.query = canonical_query(&once);
    FUZZ_CHECK(canonical_request(&twice, &again, data[0] & 1));
    FUZZ_CHECK(bytes_equal(canonical_query(&twice), again.query));
    return 0;
}
