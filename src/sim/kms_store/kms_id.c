/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_store/kms_id.h"

#include "base/hex.h"
#include "crypto/hash.h"

bool kms_id_new(char out[KMS_ID_SIZE])
{
    uint8_t random[16];
    if (!random_bytes(random, sizeof random))
        return false;
    random[6] = (uint8_t)((random[6] & 0x0f) | 0x40); /* version 4 */
    random[8] = (uint8_t)((random[8] & 0x3f) | 0x80); /* the variant of RFC 4122 */
    kms_id_from_bytes(out, random);
    return true;
}

bool kms_id_to_bytes(const char *id, uint8_t out[16])
{
    char digits[32];
    size_t n = 0;
    for (const char *at = id; *at != '\0'; at++) {
        if (*at == '-')
            continue;
        if (n == sizeof digits)
            return false;
        digits[n++] = *at;
    }
    return n == sizeof digits && hex_decode(out, bytes_of(digits, sizeof digits));
}

/* Groups of 8, 4, 4, 4 and 12 hex digits. */
void kms_id_from_bytes(char out[KMS_ID_SIZE], const uint8_t in[16])
{
    char digits[32];
    hex_encode(digits, bytes_of(in, 16));
    size_t to = 0;
    for (size_t i = 0; i < sizeof digits; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            out[to++] = '-';
        out[to++] = digits[i];
    }
    out[to] = '\0';
}
