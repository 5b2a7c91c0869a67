/* SPDX-License-Identifier: Apache-2.0 */
#include "config/kms_wrapped.h"

#include "base/base64.h"

bool kms_decode_wrapped(struct buffer *wrapped, struct bytes base64)
{
    while (base64.len > 0 && base64.at[base64.len - 1] <= ' ')
        base64.len--;
    buffer_init(wrapped, KMS_WRAPPED_MAX + 2); /* room that decoding may pad */
    return base64_decode(wrapped, base64) && wrapped->len <= KMS_WRAPPED_MAX;
}
