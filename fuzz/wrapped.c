/* SPDX-License-Identifier: Apache-2.0 */
/* The wrapped TSK in any form: what is accepted is one line of base64, of at most KMS's length, and
 * is taken again for what it is. */
#include "fuzz/fuzz.h"

#include "base/base64.h"
#include "host/wrapped.h"

static void check_taken(struct bytes base64)
{
    BUFFER_AUTO blob;
    BUFFER_AUTO again;
    struct error err;
    bool plaintext = true;
    buffer_init(&blob, WRAPPED_FILE_MAX);
    buffer_init(&again, WRAPPED_FILE_MAX);
    FUZZ_CHECK(base64_decode(&blob, base64));
    FUZZ_CHECK(blob.len > 0 && blob.len <= WRAPPED_TSK_MAX);
    /* Bytes may happen to be written in nothing but hex digits, which is then refused. */
    if (wrapped_read(&again, base64, "again", &plaintext, &err))
        FUZZ_CHECK(!plaintext && bytes_equal(buffer_bytes(&again), base64));
    else
        FUZZ_CHECK(strstr(err.cause, "hex") != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    BUFFER_AUTO out;
    struct error err = {.code = ERROR_NONE};
    bool plaintext;
    buffer_init(&out, WRAPPED_FILE_MAX);
    bool ok = wrapped_read(&out, bytes_of(data, size), "input", &plaintext, &err);
    FUZZ_CHECK(ok == (err.code == ERROR_NONE));
    FUZZ_CHECK(ok || (err.code == ERROR_NO_WRAPPED_TSK && out.len == 0));
    if (ok)
        check_taken(buffer_bytes(&out));
    return 0;
}
