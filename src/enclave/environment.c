/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/environment.h"

#include <stdlib.h>

#include "base/secret.h"

/* Moves a variable's value into out, which stays as it is if there is none. */
static bool take(const char *name, char *out, size_t size, struct error *err)
{
    char *value = getenv(name);
    if (value == NULL)
        return true;
    size_t len = strlen(value);
    bool fits = len < size;
    if (fits)
        memcpy(out, value, len + 1);
    wipe(value, len);
    unsetenv(name);
    return fits || error_set(err, ERROR_CONFIG, "%s: longer than %zu bytes", name, size - 1);
}

bool environment_take(struct initial_secrets *secrets, struct error *err)
{
    struct kms_credentials *c = &secrets->credentials;
    char wrapped[KMS_WRAPPED_TEXT_MAX + 1] = "";
    if (!take("ENCRYPTED_TSK", wrapped, sizeof wrapped, err) ||
        !take("AWS_ACCESS_KEY_ID", c->access_key_id, sizeof c->access_key_id, err) ||
        !take("AWS_SECRET_ACCESS_KEY", c->secret_access_key, sizeof c->secret_access_key, err) ||
        !take("AWS_SESSION_TOKEN", c->session_token, sizeof c->session_token, err))
        return false;
    if ((c->access_key_id[0] == '\0') != (c->secret_access_key[0] == '\0'))
        return error_set(err, ERROR_CONFIG,
                         "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or neither");
    return kms_decode_wrapped(&secrets->wrapped, bytes_text(wrapped)) ||
           error_set(err, ERROR_CONFIG, "ENCRYPTED_TSK: %s", KMS_WRAPPED_FORM);
}
