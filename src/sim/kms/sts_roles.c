/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/sts_roles.h"

#include <stdlib.h>

#include "base/base64.h"
#include "base/log.h"
#include "codec/json.h"
#include "formats/text.h"
#include "sim/kms_store/kms_credentials.h"
#include "sim/watched_file.h"
#include "system/file.h"

#define FILE_MAX            (1u << 20)
#define DEPTH_MAX           8
#define MAX_SECONDS_DEFAULT 3600 /* IAM API, CreateRole, MaxSessionDuration */
#define MAX_SECONDS_LEAST   3600
#define MAX_SECONDS_MOST    43200

struct sts_roles {
    struct watched_file file;
    struct buffer text;
    struct json doc; /* of text */
};

static bool refuse(struct error *err, const char *what)
{
    return error_set(err, ERROR_CONFIG, "the roles file: %s", what);
}

/* Whether an object has only these members (NULL ends the list). */
static bool known_members(const struct json *doc, json_value object, const char *const *known)
{
    for (json_value n = json_first(doc, object); n != JSON_NONE; n = json_next(doc, object, n)) {
        bool found = false;
        for (size_t i = 0; known[i] != NULL; i++)
            found = found || json_string_is(doc, n, known[i]);
        if (!found)
            return false;
    }
    return true;
}

/* Copies a text member; out is empty if there is none. False: it is not a text, or too long. */
static bool text_member(const struct json *doc, json_value object, const char *name, char *out,
                        size_t size)
{
    json_value v = json_member(doc, object, name);
    out[0] = '\0';
    return v == JSON_NONE ||
           (json_type(doc, v) == JSON_STRING && json_copy_string(doc, v, out, size));
}

static bool take_key(const struct json *doc, json_value object, struct buffer *key)
{
    BUFFER_AUTO text;
    buffer_init(&text, FILE_MAX);
    json_value v = json_member(doc, object, "public_key");
    return v != JSON_NONE && json_type(doc, v) == JSON_STRING && json_string(doc, v, &text) &&
           base64_decode(key, buffer_bytes(&text)) && key->len > 0;
}

static bool take_provider(const struct json *doc, json_value role, struct sts_provider *out)
{
    static const char *const known[] = {"issuer", "audience", "subject", "public_key", NULL};
    json_value object = json_member(doc, role, "identity_provider");
    buffer_init(&out->public_key, FILE_MAX);
    if (object == JSON_NONE)
        return true;
    return json_type(doc, object) == JSON_OBJECT && known_members(doc, object, known) &&
           text_member(doc, object, "issuer", out->issuer, sizeof out->issuer) &&
           text_member(doc, object, "audience", out->audience, sizeof out->audience) &&
           text_member(doc, object, "subject", out->subject, sizeof out->subject) &&
           out->issuer[0] != '\0' && out->audience[0] != '\0' && out->subject[0] != '\0' &&
           take_key(doc, object, &out->public_key);
}

/* NAME of …:role/PATH/NAME, or of …:assumed-role/NAME/SESSION; empty for anything else. */
static struct bytes role_name(struct bytes arn)
{
    for (int i = 0; i < 5; i++)
        text_cut(&arn, ':');
    struct bytes kind = text_cut(&arn, '/');
    if (bytes_equal_text(kind, "assumed-role"))
        return text_cut(&arn, '/');
    if (!bytes_equal_text(kind, "role"))
        return bytes_of(NULL, 0);
    struct bytes name = text_cut(&arn, '/');
    while (arn.len > 0)
        name = text_cut(&arn, '/');
    return name;
}

/* Whether caller is the principal, a session of that role, or of the account whose root it is. */
static bool is_principal(const char *principal, const char *caller)
{
    char own[KMS_ACCOUNT_SIZE], other[KMS_ACCOUNT_SIZE];
    if (strcmp(principal, caller) == 0)
        return true;
    if (!kms_principal_account(principal, own) || !kms_principal_account(caller, other) ||
        strcmp(own, other) != 0)
        return false;
    const char *rest = strrchr(principal, ':');
    struct bytes name = role_name(bytes_text(principal));
    return strcmp(rest, ":root") == 0 || (strncmp(rest, ":role/", 6) == 0 && name.len > 0 &&
                                          bytes_equal(name, role_name(bytes_text(caller))));
}

static bool take_trusts(const struct json *doc, json_value role, const char *caller, bool *trusted)
{
    json_value list = json_member(doc, role, "trusts");
    char principal[KMS_ARN_SIZE], account[KMS_ACCOUNT_SIZE];
    if (list != JSON_NONE && json_type(doc, list) != JSON_ARRAY)
        return false;
    for (json_value v = list != JSON_NONE ? json_first(doc, list) : JSON_NONE; v != JSON_NONE;
         v = json_next(doc, list, v)) {
        if (json_type(doc, v) != JSON_STRING ||
            !json_copy_string(doc, v, principal, sizeof principal) ||
            !kms_principal_account(principal, account))
            return false;
        *trusted = *trusted || is_principal(principal, caller);
    }
    return true;
}

static bool take_seconds(const struct json *doc, json_value role, int64_t *out)
{
    json_value v = json_member(doc, role, "max_seconds");
    *out = MAX_SECONDS_DEFAULT;
    return v == JSON_NONE ||
           (json_int64(doc, v, out) && *out >= MAX_SECONDS_LEAST && *out <= MAX_SECONDS_MOST);
}

/* Reads a role; the reason why it cannot be used, or NULL. */
static const char *take_role(const struct json *doc, json_value v, const char *caller,
                             struct sts_role *out)
{
    static const char *const known[] = {
        "arn", "trusts", "external_id", "max_seconds", "identity_provider", NULL};
    char account[KMS_ACCOUNT_SIZE];
    *out = (struct sts_role){0};
    if (json_type(doc, v) != JSON_OBJECT || !known_members(doc, v, known))
        return "a role is not an object with only known members";
    if (!text_member(doc, v, "arn", out->arn, sizeof out->arn) ||
        !kms_principal_account(out->arn, account) || role_name(bytes_text(out->arn)).len == 0)
        return "an arn is not that of a role";
    if (!text_member(doc, v, "external_id", out->external_id, sizeof out->external_id))
        return "an external_id is not a string, or too long";
    if (!take_seconds(doc, v, &out->max_seconds))
        return "max_seconds is not from 3600 to 43200";
    if (!take_trusts(doc, v, caller, &out->trusted))
        return "trusts is not a list of ARNs of IAM or STS";
    if (!take_provider(doc, v, &out->provider))
        return "an identity_provider lacks a member, or has one that is malformed";
    return NULL;
}

static bool check(const struct json *doc, struct error *err)
{
    if (json_type(doc, 0) != JSON_ARRAY)
        return refuse(err, "it is not an array");
    for (json_value v = json_first(doc, 0); v != JSON_NONE; v = json_next(doc, 0, v)) {
        struct sts_role role;
        const char *why = take_role(doc, v, "", &role);
        buffer_clear(&role.provider.public_key);
        if (why != NULL)
            return refuse(err, why);
    }
    return true;
}

/* Reads the file into text and doc, which the caller clears on failure, too. */
static bool load(const char *path, struct buffer *text, struct json *doc, struct error *err)
{
    buffer_init(text, FILE_MAX);
    json_init(doc, DEPTH_MAX);
    return file_read(path, text, err) && json_parse(doc, buffer_bytes(text), err) &&
           check(doc, err);
}

struct sts_roles *sts_roles_new(const char *path, struct error *err)
{
    struct sts_roles *roles = calloc(1, sizeof *roles);
    if (roles == NULL) {
        error_set(err, ERROR_MEMORY, "no memory for roles");
        return NULL;
    }
    roles->file.path = path;
    (void)watched_file_changed(&roles->file); /* what is loaded now has been seen */
    if (load(path, &roles->text, &roles->doc, err))
        return roles;
    sts_roles_free(roles);
    return NULL;
}

void sts_roles_free(struct sts_roles *roles)
{
    if (roles == NULL)
        return;
    json_clear(&roles->doc);
    buffer_clear(&roles->text);
    free(roles);
}

static void refresh(struct sts_roles *roles)
{
    struct buffer text;
    struct json doc;
    struct error err = {.code = ERROR_NONE};
    if (!watched_file_changed(&roles->file))
        return;
    if (load(roles->file.path, &text, &doc, &err)) {
        struct buffer old_text = roles->text;
        struct json old_doc = roles->doc;
        roles->text = text;
        roles->doc = doc;
        text = old_text;
        doc = old_doc;
        log_info("roles loaded again from %s", roles->file.path);
    } else {
        log_error("roles not changed: %s", err.cause);
    }
    json_clear(&doc);
    buffer_clear(&text);
}

bool sts_roles_find(struct sts_roles *roles, struct bytes arn, const char *caller,
                    struct sts_role *role)
{
    *role = (struct sts_role){0};
    if (roles == NULL)
        return false;
    refresh(roles);
    const struct json *doc = &roles->doc;
    for (json_value v = json_first(doc, 0); v != JSON_NONE; v = json_next(doc, 0, v)) {
        if (take_role(doc, v, caller, role) == NULL && bytes_equal_text(arn, role->arn))
            return true;
        buffer_clear(&role->provider.public_key);
    }
    return false;
}
