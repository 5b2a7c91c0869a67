/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/nsm/nsm_identity.h"

#include <stdio.h>

#include "base/hex.h"
#include "crypto/hash.h"
#include "formats/attestation.h"

#define YEARS_20 (20LL * 365 * 24 * 3600)
#define SKEW     300 /* seconds before now at which certificates begin to be valid */

/* Writes len random hex digits and a terminator. */
static bool random_digits(char *out, size_t len)
{
    uint8_t bytes[16];
    char digits[2 * sizeof bytes];
    if (len > sizeof digits || !random_bytes(bytes, sizeof bytes))
        return false;
    hex_encode(digits, bytes_of(bytes, sizeof bytes));
    memcpy(out, digits, len);
    out[len] = '\0';
    return true;
}

/* The names are like those in the cabundles of documents that AWS signed. */
static bool name_all(struct nsm_identity *identity, char names[NSM_CERT_COUNT][64])
{
    char regional[17], zonal[17], instance[18];
    if (!random_digits(regional, 16) || !random_digits(zonal, 16) || !random_digits(instance, 17))
        return false;
    snprintf(identity->instance_id, sizeof identity->instance_id, "i-%s", instance);
    snprintf(names[NSM_CERT_ROOT], 64, "aws.nitro-enclaves");
    snprintf(names[NSM_CERT_REGIONAL], 64, "%s." NSM_REGION ".aws.nitro-enclaves", regional);
    snprintf(names[NSM_CERT_ZONAL], 64, "%s.zonal." NSM_REGION ".aws.nitro-enclaves", zonal);
    snprintf(names[NSM_CERT_INSTANCE], 64, "%s." NSM_REGION ".aws.nitro-enclaves",
             identity->instance_id);
    return true;
}

static bool issue_all(struct nsm_identity *identity, struct pki_key *const keys[NSM_CERT_COUNT],
                      int64_t now_s, struct error *err)
{
    char names[NSM_CERT_COUNT][64];
    if (!name_all(identity, names))
        return error_set(err, ERROR_CRYPTO, "no random bytes");
    for (int i = 0; i < NSM_CERT_COUNT; i++) {
        int issuer = i == 0 ? 0 : i - 1;
        struct pki_subject subject = {
            .common_name = names[i],
            .organizational_unit = NSM_ORGANIZATIONAL_UNIT,
            .not_before_s = now_s - SKEW,
            .not_after_s = now_s + YEARS_20,
            .role = PKI_AUTHORITY,
            .path_length = i == 0 ? -1 : NSM_CERT_INSTANCE - i, /* 2, 1 and 0, like AWS's */
        };
        struct bytes issuer_der =
            i == 0 ? bytes_of(NULL, 0) : buffer_bytes(&identity->certs[issuer]);
        buffer_init(&identity->certs[i], ATTESTATION_CERT_MAX);
        if (!pki_issue(&identity->certs[i], &subject, keys[i], issuer_der, keys[issuer], err))
            return false;
    }
    return true;
}

bool nsm_identity_new(struct nsm_identity *identity, int64_t now_s, struct error *err)
{
    *identity = (struct nsm_identity){0};
    struct pki_key *keys[NSM_CERT_COUNT] = {NULL};
    bool ok = true;
    for (int i = 0; ok && i < NSM_CERT_COUNT; i++)
        ok = (keys[i] = pki_key_new(err)) != NULL;
    ok = ok && issue_all(identity, keys, now_s, err);
    pki_key_free(keys[NSM_CERT_REGIONAL]);
    pki_key_free(keys[NSM_CERT_ZONAL]);
    identity->root_key = keys[NSM_CERT_ROOT];
    identity->instance_key = keys[NSM_CERT_INSTANCE];
    if (!ok)
        nsm_identity_clear(identity);
    return ok;
}

void nsm_identity_clear(struct nsm_identity *identity)
{
    pki_key_free(identity->root_key);
    pki_key_free(identity->instance_key);
    for (int i = 0; i < NSM_CERT_COUNT; i++)
        buffer_clear(&identity->certs[i]);
    *identity = (struct nsm_identity){0};
}
