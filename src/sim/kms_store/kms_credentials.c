/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms_store/kms_credentials.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "codec/json.h"
#include "formats/arn.h"
#include "formats/clock_parse.h"
#include "system/file.h"

#define FILE_MAX (1u << 20)

bool kms_principal_account(const char *arn, char account[KMS_ACCOUNT_SIZE])
{
    struct arn parts;
    if (!arn_is_principal(bytes_text(arn)) || !arn_parse(&parts, bytes_text(arn)))
        return false;
    memcpy(account, parts.account.at, ARN_ACCOUNT_LEN);
    account[ARN_ACCOUNT_LEN] = '\0';
    return true;
}

static bool read_file(const char *path, struct stat *st, struct buffer *out, struct error *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, st) == 0;
    if (!ok)
        error_set_errno(err, ERROR_SYSTEM, "cannot open the credentials file %s", path);
    else if (!S_ISREG(st->st_mode) || (st->st_mode & 077) != 0)
        ok = error_set(err, ERROR_CONFIG,
                       "the credentials file %s must be a file that others cannot read (chmod 600)",
                       path);
    else
        ok = file_read_fd(fd, path, out, err);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* A text member into out; null counts as absent. */
static bool read_text(const struct json *doc, json_value object, const char *name, bool required,
                      struct buffer *out, struct error *err)
{
    json_value value = json_member(doc, object, name);
    if (value == JSON_NONE || json_type(doc, value) == JSON_NULL)
        return !required || error_set(err, ERROR_CONFIG, "a credential has no %s", name);
    buffer_reset(out);
    if (!json_string(doc, value, out) || (required && out->len == 0) ||
        (out->len > 0 && memchr(out->at, '\0', out->len) != NULL))
        return error_set(err, ERROR_CONFIG,
                         "%s of a credential is not a string, or is empty or holds a zero", name);
    return true;
}

static bool copy_text(struct buffer *from, char *out, size_t size, const char *name,
                      struct error *err)
{
    if (from->len >= size)
        return error_set(err, ERROR_CONFIG, "%s of a credential is too long", name);
    memcpy(out, from->at, from->len);
    out[from->len] = '\0';
    return true;
}

static bool known_members(const struct json *doc, json_value object, struct error *err)
{
    static const char *const known[] = {"access_key_id", "secret_access_key", "session_token",
                                        "expiration", "principal"};
    for (json_value n = json_first(doc, object); n != JSON_NONE; n = json_next(doc, object, n)) {
        bool found = false;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            found = found || json_string_is(doc, n, known[i]);
        if (!found)
            return error_set(err, ERROR_CONFIG, "a credential has an unknown member");
    }
    return true;
}

/* The members that are kept as they are. */
static bool read_texts(const struct json *doc, json_value object, struct kms_credential *out,
                       struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, 4096);
    return read_text(doc, object, "access_key_id", true, &text, err) &&
           copy_text(&text, out->access_key_id, sizeof out->access_key_id, "access_key_id", err) &&
           read_text(doc, object, "secret_access_key", true, &out->secret_access_key, err) &&
           read_text(doc, object, "session_token", false, &out->session_token, err) &&
           read_text(doc, object, "principal", true, &text, err) &&
           copy_text(&text, out->principal, sizeof out->principal, "principal", err);
}

static bool read_one(const struct json *doc, json_value object, struct kms_credential *out,
                     struct error *err)
{
    char account[KMS_ACCOUNT_SIZE];
    BUFFER_AUTO expiration;
    buffer_init(&expiration, 4096);
    if (json_type(doc, object) != JSON_OBJECT)
        return error_set(err, ERROR_CONFIG, "a credential is not an object");
    if (!known_members(doc, object, err) || !read_texts(doc, object, out, err))
        return false;
    if (!kms_principal_account(out->principal, account))
        return error_set(err, ERROR_CONFIG,
                         "principal is not the ARN of a user, a role or an account's root: %s",
                         out->principal);
    if (!read_text(doc, object, "expiration", false, &expiration, err))
        return false;
    if (expiration.len > 0 && !clock_parse(buffer_bytes(&expiration), &out->expires_us))
        return error_set(err, ERROR_CONFIG, "expiration is not a time in ISO 8601");
    return true;
}

static bool cannot_change(struct error *err)
{
    return error_set(err, ERROR_SYSTEM, "the database cannot be changed");
}

static bool store_all(struct kms_store *store, const struct json *doc, struct error *err)
{
    if (kms_store_credentials_remove_all(store) != STORE_OK)
        return cannot_change(err);
    for (json_value v = json_first(doc, 0); v != JSON_NONE; v = json_next(doc, 0, v)) {
        struct kms_credential credential;
        kms_credential_init(&credential);
        bool ok = read_one(doc, v, &credential, err);
        enum store_result result = ok ? kms_store_credential_add(store, &credential) : STORE_OK;
        kms_credential_clear(&credential);
        if (!ok)
            return false;
        if (result == STORE_EXISTS)
            return error_set(err, ERROR_CONFIG, "an access_key_id occurs twice");
        if (result != STORE_OK)
            return cannot_change(err);
    }
    return true;
}

bool kms_credentials_load(struct kms_store *store, struct watched_file *file, struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, FILE_MAX);
    if (!read_file(file->path, &file->seen, &text, err))
        return false;
    struct json doc;
    json_init(&doc, 8);
    bool ok = json_parse(&doc, buffer_bytes(&text), err);
    if (ok && json_type(&doc, 0) != JSON_ARRAY)
        ok = error_set(err, ERROR_CONFIG, "the credentials file is not an array");
    if (ok && !kms_store_begin(store)) {
        ok = cannot_change(err);
    } else if (ok) {
        ok = store_all(store, &doc, err);
        if (!kms_store_end(store, ok))
            ok = cannot_change(err);
    }
    json_clear(&doc);
    return ok;
}

void kms_credentials_refresh(struct kms_store *store, struct watched_file *file)
{
    struct error err = {.code = ERROR_NONE};
    if (!watched_file_changed(file))
        return;
    if (kms_credentials_load(store, file, &err))
        log_info("credentials loaded again from %s", file->path);
    else
        log_error("credentials not changed: %s", err.cause);
}
