/* SPDX-License-Identifier: Apache-2.0 */
/* KMS's envelope: on every input out is filled or empty, and never longer than what was sent. */
#include "fuzz/fuzz.h"

#include "codec/cms.h"
#include "crypto/hash.h"
#include "crypto/recipient.h"

static struct recipient *recipient;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    struct error err = {0};
    FUZZ_CHECK(crypto_start());
    recipient = recipient_new(&err);
    FUZZ_CHECK(recipient != NULL);
    return 0;
}

static bool within(struct bytes part, struct bytes whole)
{
    return part.at >= whole.at && part.at + part.len <= whole.at + whole.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = bytes_of(data, size);
    struct cms_envelope envelope;
    struct error err = {0};
    BUFFER_AUTO content, out;
    buffer_init(&content, RECIPIENT_ENVELOPE_MAX);
    buffer_init(&out, RECIPIENT_SECRET_MAX);
    bool parsed = cms_parse(&envelope, &content, input, &err);
    FUZZ_CHECK(parsed == (err.code == ERROR_NONE));
    if (parsed) {
        FUZZ_CHECK(within(envelope.iv, input) && envelope.iv.len == CMS_IV_SIZE);
        FUZZ_CHECK(within(envelope.wrapped_key, input));
        FUZZ_CHECK(content.len < size);
    }
    bool opened = recipient_open(recipient, input, &out, &err);
    FUZZ_CHECK(opened ? parsed && out.len < content.len : out.len == 0);
    return 0;
}
