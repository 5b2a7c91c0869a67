/* SPDX-License-Identifier: Apache-2.0 */
/* Key policies: an accepted policy can be evaluated, and explaining keeps the effect. */
#include "fuzz/fuzz.h"

#include "formats/policy.h"

static void explain(void *context, const struct policy_finding *finding)
{
    size_t *total = context;
    *total += finding->statement.len + finding->wanted.len;
    FUZZ_CHECK(finding->statement.len > 0 && finding->condition.len > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error err = {.code = ERROR_NONE};
    struct policy *policy = policy_new(bytes_of(data, size), &err);
    FUZZ_CHECK((policy == NULL) == (err.code == ERROR_FORMAT));
    if (policy == NULL)
        return 0;
    const struct policy_attribute attributes[] = {
        {bytes_text("kms:RecipientAttestation:PCR0"), bytes_text("00ffA")},
        {bytes_text("kms:EncryptionContext:purpose"), bytes_text("")},
    };
    const struct policy_request request = {
        .principal_arn = bytes_text("arn:aws:sts::111122223333:assumed-role/enclave/i-1"),
        .account = bytes_text("111122223333"),
        .action = bytes_text("kms:Decrypt"),
        .resource = bytes_text("arn:aws:kms:eu-central-1:111122223333:key/1234"),
        .attributes = attributes,
        .attribute_count = ARRAY_LEN(attributes),
    };
    size_t total = 0;
    enum policy_effect quiet = policy_evaluate(policy, &request, NULL, NULL);
    FUZZ_CHECK(policy_evaluate(policy, &request, explain, &total) == quiet && total > 0);
    policy_free(policy);
    return 0;
}
