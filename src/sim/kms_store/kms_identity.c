/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_store/kms_identity.h"

#include "base/clock.h"
#include "pki/pki.h"
#include "system/file.h"

#define PEM_MAX        (64u << 10)
#define DAY_S          INT64_C(86400)
#define AUTHORITY_DAYS 3650
#define SERVER_DAYS    397 /* the longest that common clients accept */
#define AUTHORITY_KEY  "authority_key"
#define AUTHORITY_CERT "authority_certificate"
#define SERVER_KEY     "server_key"

void kms_identity_init(struct kms_identity *identity)
{
    buffer_init(&identity->authority, PEM_MAX);
    buffer_init(&identity->certificate, PEM_MAX);
    buffer_init_secret(&identity->key, PEM_MAX);
}

void kms_identity_clear(struct kms_identity *identity)
{
    buffer_clear(&identity->authority);
    buffer_clear(&identity->certificate);
    buffer_clear(&identity->key);
}

/* The key kept under name; it is made at the first start. pem receives it as PEM. */
static struct pki_key *load_key(struct kms_store *store, const char *name, struct buffer *pem,
                                struct error *err)
{
    enum store_result found = kms_store_get(store, name, pem);
    if (found == STORE_OK)
        return pki_key_from_pem(buffer_bytes(pem), err);
    struct pki_key *key = found == STORE_ABSENT ? pki_key_new(err) : NULL;
    if (found != STORE_ABSENT) {
        error_set(err, ERROR_SYSTEM, "the %s cannot be read from the database", name);
    } else if (key != NULL && (!pki_key_to_pem(key, pem) ||
                               kms_store_put(store, name, buffer_bytes(pem)) != STORE_OK)) {
        error_set(err, ERROR_SYSTEM, "the %s cannot be stored in the database", name);
        pki_key_free(key);
        key = NULL;
    }
    return key;
}

/* The authority's certificate as PEM; it is made and kept at the first start. */
static bool load_authority(struct kms_identity *identity, struct kms_store *store,
                           const struct pki_key *key, struct error *err)
{
    enum store_result found = kms_store_get(store, AUTHORITY_CERT, &identity->authority);
    if (found == STORE_OK)
        return true;
    int64_t now_s = clock_wall_us() / 1000000;
    struct pki_subject subject = {
        .common_name = "enclave-sim KMS authority",
        .not_before_s = now_s - DAY_S,
        .not_after_s = now_s + AUTHORITY_DAYS * DAY_S,
        .role = PKI_AUTHORITY,
        .path_length = 0,
    };
    BUFFER_AUTO der;
    buffer_init(&der, PEM_MAX);
    if (!pki_issue(&der, &subject, key, bytes_of(NULL, 0), key, err))
        return false;
    if (found != STORE_ABSENT || !pki_der_to_pem(buffer_bytes(&der), &identity->authority) ||
        kms_store_put(store, AUTHORITY_CERT, buffer_bytes(&identity->authority)) != STORE_OK)
        return error_set(err, ERROR_SYSTEM,
                         "the authority's certificate cannot be stored in the database");
    return true;
}

static bool issue(struct kms_identity *identity, const struct pki_key *authority,
                  const struct pki_key *key, const char *const *host_names, struct error *err)
{
    BUFFER_AUTO issuer;
    BUFFER_AUTO der;
    buffer_init(&issuer, PEM_MAX);
    buffer_init(&der, PEM_MAX);
    int64_t now_s = clock_wall_us() / 1000000;
    struct pki_subject subject = {
        .common_name = host_names[0],
        .not_before_s = now_s - DAY_S,
        .not_after_s = now_s + SERVER_DAYS * DAY_S,
        .role = PKI_TLS_SERVER,
        .path_length = -1,
        .host_names = host_names,
    };
    if (!pki_pem_to_der(buffer_bytes(&identity->authority), &issuer, err) ||
        !pki_issue(&der, &subject, key, buffer_bytes(&issuer), authority, err))
        return false;
    if (!pki_der_to_pem(buffer_bytes(&der), &identity->certificate))
        return error_set(err, ERROR_MEMORY, "no memory for the certificate");
    buffer_append(&identity->certificate, buffer_bytes(&identity->authority));
    buffer_byte(&identity->certificate, '\0');
    buffer_byte(&identity->key, '\0');
    return (!identity->certificate.failed && !identity->key.failed) ||
           error_set(err, ERROR_MEMORY, "no memory for the certificate");
}

bool kms_identity_load(struct kms_identity *identity, struct kms_store *store,
                       const char *const *host_names, struct error *err)
{
    BUFFER_AUTO authority_pem;
    buffer_init_secret(&authority_pem, PEM_MAX);
    struct pki_key *authority = load_key(store, AUTHORITY_KEY, &authority_pem, err);
    struct pki_key *key =
        authority != NULL ? load_key(store, SERVER_KEY, &identity->key, err) : NULL;
    bool ok = key != NULL && load_authority(identity, store, authority, err) &&
              issue(identity, authority, key, host_names, err);
    pki_key_free(key);
    pki_key_free(authority);
    return ok;
}

bool kms_identity_publish(const struct kms_identity *identity, const char *path, struct error *err)
{
    return file_replace(path, buffer_bytes(&identity->authority), 0644, err);
}
