/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP answers: a complete one is incomplete when it is cut and malformed when it is longer. */
#include "fuzz/fuzz.h"

#include "formats/http_header.h"

#define BODY_MAX 4096u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_response response, other;
    struct error err = {0};
    struct bytes input = bytes_of(data, size);
    enum http_progress progress = http_response_parse(&response, input, BODY_MAX, &err);
    FUZZ_CHECK((progress == HTTP_MALFORMED) == (err.code != ERROR_NONE));
    if (progress != HTTP_COMPLETE)
        return 0;
    FUZZ_CHECK(response.status >= 100 && response.status <= 599);
    FUZZ_CHECK(response.body.len <= BODY_MAX && response.head.len <= HTTP_HEAD_MAX);
    FUZZ_CHECK(response.body.len == 0 || response.body.at + response.body.len == data + size);
    FUZZ_CHECK(http_header(&response, "content-length").at != NULL);
    FUZZ_CHECK(http_header(&response, "transfer-encoding").at == NULL);
    for (size_t len = 0; len < size; len++)
        FUZZ_CHECK(http_response_parse(&other, bytes_of(data, len), BODY_MAX, &err) ==
                   HTTP_INCOMPLETE);
    return 0;
}
