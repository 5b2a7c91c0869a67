/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of STS: what is found is text within its limit, and nothing where none is read. */
#include "fuzz/fuzz.h"

#include "host/credentials/sts_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer key, code;
    buffer_init(&key, 64);
    buffer_init(&code, 64);
    struct sts_element elements[] = {
        {"AssumeRoleResponse/AssumeRoleResult/Credentials/AccessKeyId", &key, false},
        {"ErrorResponse/Error/Code", &code, false},
    };
    if (sts_answer_read(bytes_of(data, size), elements, 2)) {
        FUZZ_CHECK(size <= STS_ANSWER_MAX && !key.failed && !code.failed);
        FUZZ_CHECK(!elements[0].found || !elements[1].found); /* their roots differ */
        FUZZ_CHECK((key.len == 0 || elements[0].found) && (code.len == 0 || elements[1].found));
    }
    buffer_clear(&key);
    buffer_clear(&code);
    return 0;
}
