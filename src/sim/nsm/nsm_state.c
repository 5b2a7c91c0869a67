/* SPDX-License-Identifier: Apache-2.0 */
/* The module's identity in a folder: two keys, four certificates and the instance's id. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/nsm/nsm_identity.h"
#include "system/file.h"

#define FILE_MAX 16384

static const char *const cert_files[NSM_CERT_COUNT] = {"root.pem", "regional.pem", "zonal.pem",
                                                       "instance.pem"};
/* Written last: without it the folder does not hold a complete identity. */
#define ID_FILE "instance-id"

static bool path_of(char path[4096], const char *folder, const char *name, struct error *err)
{
    int len = snprintf(path, 4096, "%s/%s", folder, name);
    return (len > 0 && len < 4096) ||
           error_set(err, ERROR_SYSTEM, "the path of the folder is too long");
}

static bool read_file(struct buffer *out, const char *folder, const char *name, struct error *err)
{
    char path[4096];
    return path_of(path, folder, name, err) && file_read(path, out, err);
}

static bool write_file(struct bytes content, const char *folder, const char *name,
                       struct error *err)
{
    char path[4096];
    return path_of(path, folder, name, err) && file_replace(path, content, 0600, err);
}

static bool save_key(const struct pki_key *key, const char *folder, const char *name,
                     struct error *err)
{
    struct buffer pem __attribute__((cleanup(buffer_clear)));
    buffer_init_secret(&pem, FILE_MAX);
    if (!pki_key_to_pem(key, &pem))
        return error_set(err, ERROR_CRYPTO, "cannot write a key as PEM");
    return write_file(buffer_bytes(&pem), folder, name, err);
}

bool nsm_identity_save(const struct nsm_identity *identity, const char *folder, struct error *err)
{
    if (mkdir(folder, 0700) != 0 && errno != EEXIST)
        return error_set_errno(err, ERROR_SYSTEM, "cannot make the folder %s", folder);
    if (!save_key(identity->root_key, folder, "root.key", err) ||
        !save_key(identity->instance_key, folder, "instance.key", err))
        return false;
    for (int i = 0; i < NSM_CERT_COUNT; i++) {
        BUFFER_AUTO pem = {.limit = FILE_MAX};
        if (!pki_der_to_pem(buffer_bytes(&identity->certs[i]), &pem))
            return error_set(err, ERROR_CRYPTO, "cannot write a certificate as PEM");
        if (!write_file(buffer_bytes(&pem), folder, cert_files[i], err))
            return false;
    }
    return write_file(bytes_text(identity->instance_id), folder, ID_FILE, err);
}

static struct pki_key *load_key(const char *folder, const char *name, struct error *err)
{
    struct buffer pem __attribute__((cleanup(buffer_clear)));
    buffer_init_secret(&pem, FILE_MAX);
    struct error why = {0};
    if (!read_file(&pem, folder, name, err))
        return NULL;
    struct pki_key *key = pki_key_from_pem(buffer_bytes(&pem), &why);
    if (key == NULL)
        error_set(err, why.code, "%s/%s: %s", folder, name, why.cause);
    return key;
}

static bool is_hex_digit(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/* i- and 17 hex digits. */
static bool load_instance_id(struct nsm_identity *identity, const char *folder, struct error *err)
{
    BUFFER_AUTO id = {.limit = FILE_MAX};
    if (!read_file(&id, folder, ID_FILE, err))
        return false;
    bool ok = id.len == NSM_INSTANCE_ID_SIZE - 1 && memcmp(id.at, "i-", 2) == 0;
    for (size_t i = 2; ok && i < id.len; i++)
        ok = is_hex_digit(id.at[i]);
    if (!ok)
        return error_set(err, ERROR_FORMAT, "%s/" ID_FILE " does not contain an instance id",
                         folder);
    memcpy(identity->instance_id, id.at, id.len);
    identity->instance_id[id.len] = '\0';
    return true;
}

static bool load_all(struct nsm_identity *identity, const char *folder, struct error *err)
{
    if (!load_instance_id(identity, folder, err) ||
        (identity->root_key = load_key(folder, "root.key", err)) == NULL ||
        (identity->instance_key = load_key(folder, "instance.key", err)) == NULL)
        return false;
    for (int i = 0; i < NSM_CERT_COUNT; i++) {
        BUFFER_AUTO pem = {.limit = FILE_MAX};
        buffer_init(&identity->certs[i], FILE_MAX);
        struct error why = {0};
        if (!read_file(&pem, folder, cert_files[i], err))
            return false;
        if (!pki_pem_to_der(buffer_bytes(&pem), &identity->certs[i], &why))
            return error_set(err, why.code, "%s/%s: %s", folder, cert_files[i], why.cause);
    }
    return true;
}

bool nsm_identity_load(struct nsm_identity *identity, const char *folder, bool *found,
                       struct error *err)
{
    char path[4096];
    *identity = (struct nsm_identity){0};
    if (!path_of(path, folder, ID_FILE, err))
        return false;
    *found = access(path, F_OK) == 0;
    if (!*found)
        return true;
    if (load_all(identity, folder, err))
        return true;
    nsm_identity_clear(identity);
    return false;
}
