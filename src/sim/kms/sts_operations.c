/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/kms/sts_operations.h"

#include <ctype.h>
#include <stdio.h>

#include "base/base64.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "formats/text.h"
#include "sim/kms/sts_roles.h"
#include "sim/kms/sts_token.h"

#define ARN_MIN        20 /* STS API, and so are the limits below */
#define ARN_MAX        2048
#define SESSION_MIN    2
#define SESSION_MAX    64
#define TOKEN_MIN      4
#define TOKEN_MAX      20000
#define SECONDS_MIN    900
#define SECONDS_MOST   43200
#define SECONDS_USUAL  3600
#define SECONDS_CHAIN  3600 /* of a role that a role assumes */
#define SECRET_BYTES   30   /* 40 characters */
#define TOKEN_BYTES    192
#define UNIQUE_ID_SIZE 21
/* How long a session that expired is still known, so that its use is answered as expired. */
#define KEPT_US (INT64_C(86400) * 1000000)

static bool not_valid(struct sts_call *call, const char *name, const char *constraint)
{
    return kms_fail(&call->failure, "ValidationError",
                    "1 validation error detected: Value at '%s' failed to satisfy constraint: "
                    "Member must %s",
                    name, constraint);
}

static bool failed_internally(struct sts_call *call, const char *cause)
{
    log_error("request %s: %s", call->request->id, cause);
    return kms_fail_type(&call->failure, "InternalFailure");
}

/* Appends a text with what XML escapes. */
static void put_escaped(struct buffer *out, struct bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.at[i];
        if (c == '<')
            buffer_text(out, "&lt;");
        else if (c == '>')
            buffer_text(out, "&gt;");
        else if (c == '&')
            buffer_text(out, "&amp;");
        else
            buffer_byte(out, c);
    }
}

static void put(struct sts_call *call, const char *name, struct bytes text)
{
    buffer_printf(call->out, "<%s>", name);
    put_escaped(call->out, text);
    buffer_printf(call->out, "</%s>", name);
}

/* An id as IAM makes them, of four letters and sixteen that follow from the name. */
static bool unique_id(char out[UNIQUE_ID_SIZE], const char *prefix, struct bytes name)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    uint8_t digest[SHA256_SIZE];
    if (!sha256(digest, name))
        return false;
    memcpy(out, prefix, 4);
    for (size_t i = 4; i < UNIQUE_ID_SIZE - 1; i++)
        out[i] = letters[digest[i] & 31];
    out[UNIQUE_ID_SIZE - 1] = '\0';
    return true;
}

/* --- what is asked for --- */

/* Refuses parameters that are not in the list (NULL ends it), instead of ignoring them. */
static bool check_names(struct sts_call *call, const char *const *known)
{
    for (size_t i = 0; i < call->form.count; i++) {
        struct bytes name = call->form.fields[i].name;
        bool found = bytes_equal_text(name, "Action") || bytes_equal_text(name, "Version");
        for (size_t k = 0; known[k] != NULL; k++)
            found = found || bytes_equal_text(name, known[k]);
        if (!found)
            return kms_fail(&call->failure, "ValidationError",
                            "enclave-sim does not simulate the parameter %.*s",
                            name.len < 64 ? (int)name.len : 64, (const char *)name.at);
    }
    return true;
}

static bool check_length(struct sts_call *call, const char *name, size_t least, size_t most)
{
    struct bytes value = sts_form_value(&call->form, name);
    if (value.at == NULL)
        return not_valid(call, name, "not be null");
    if (value.len < least || value.len > most)
        return not_valid(call, name, "have a length within the limits");
    return true;
}

static bool check_session_name(struct sts_call *call)
{
    static const char name[] = "RoleSessionName";
    struct bytes value = sts_form_value(&call->form, name);
    if (!check_length(call, name, SESSION_MIN, SESSION_MAX))
        return false;
    for (size_t i = 0; i < value.len; i++)
        if (!isalnum(value.at[i]) && strchr("_+=,.@-", value.at[i]) == NULL)
            return not_valid(call, name, "satisfy regular expression pattern: [\\w+=,.@-]*");
    return true;
}

static bool take_seconds(struct sts_call *call, int64_t *out)
{
    static const char name[] = "DurationSeconds";
    struct bytes value = sts_form_value(&call->form, name);
    *out = SECONDS_USUAL;
    if (value.at == NULL)
        return true;
    *out = 0;
    for (size_t i = 0; i < value.len && *out >= 0; i++)
        *out = isdigit(value.at[i]) && i < 6 ? *out * 10 + (value.at[i] - '0') : -1;
    if (*out < SECONDS_MIN)
        return not_valid(call, name, "have value greater than or equal to 900");
    return *out <= SECONDS_MOST || not_valid(call, name, "have value less than or equal to 43200");
}

static bool check_seconds(struct sts_call *call, const struct sts_role *role, int64_t seconds)
{
    if (strstr(call->caller.arn, ":assumed-role/") != NULL && seconds > SECONDS_CHAIN)
        return kms_fail(&call->failure, "ValidationError",
                        "The requested DurationSeconds exceeds the 1 hour session limit for roles "
                        "assumed by role chaining");
    return seconds <= role->max_seconds ||
           kms_fail(&call->failure, "ValidationError",
                    "The requested DurationSeconds exceeds the MaxSessionDuration set for this "
                    "role.");
}

/* --- sessions --- */

/* Random bytes as base64, appended. */
static bool put_random(struct buffer *out, size_t count)
{
    uint8_t random[TOKEN_BYTES];
    if (count > sizeof random || !random_bytes(random, count))
        return false;
    base64_encode(out, bytes_of(random, count));
    wipe(random, sizeof random);
    return !out->failed;
}

/* arn:aws:iam::ACCOUNT:role/PATH/NAME → arn:aws:sts::ACCOUNT:assumed-role/NAME/SESSION */
static bool session_arn(char out[KMS_ARN_SIZE], const char *role, struct bytes session)
{
    struct bytes rest = bytes_text(role);
    text_cut(&rest, ':');
    struct bytes partition = text_cut(&rest, ':');
    text_cut(&rest, ':');
    text_cut(&rest, ':');
    struct bytes account = text_cut(&rest, ':');
    const char *name = strrchr(role, '/') + 1;
    int len = snprintf(out, KMS_ARN_SIZE, "arn:%.*s:sts::%.*s:assumed-role/%s/%.*s",
                       (int)partition.len, (const char *)partition.at, (int)account.len,
                       (const char *)account.at, name, (int)session.len, (const char *)session.at);
    return len > 0 && len < KMS_ARN_SIZE;
}

/* Makes credentials that expire after so many seconds, and keeps them. */
static bool make_session(struct sts_call *call, const struct sts_role *role, int64_t seconds,
                         struct kms_credential *out)
{
    char id[KMS_ID_SIZE], key[UNIQUE_ID_SIZE];
    int64_t now_us = kms_now_us(call->service);
    struct bytes session = sts_form_value(&call->form, "RoleSessionName");
    out->expires_us = (now_us / 1000000 + seconds) * 1000000;
    if (!session_arn(out->principal, role->arn, session))
        return not_valid(call, "RoleSessionName", "be shorter, with a role of this name");
    if (!kms_id_new(id) || !unique_id(key, "ASIA", bytes_text(id)) ||
        !put_random(&out->secret_access_key, SECRET_BYTES) ||
        !put_random(&out->session_token, TOKEN_BYTES))
        return failed_internally(call, "no random bytes");
    snprintf(out->access_key_id, sizeof out->access_key_id, "%s", key);
    return kms_store_session_add(call->service->store, out, now_us - KEPT_US) == STORE_OK ||
           failed_internally(call, "the session cannot be stored");
}

static bool answer_session(struct sts_call *call, const struct sts_role *role,
                           const struct kms_credential *session)
{
    char iso[CLOCK_ISO_SIZE], id[UNIQUE_ID_SIZE];
    struct bytes name = sts_form_value(&call->form, "RoleSessionName");
    clock_format_iso(iso, session->expires_us);
    if (!unique_id(id, "AROA", bytes_text(role->arn)))
        return failed_internally(call, "no hash");
    buffer_text(call->out, "<Credentials>");
    put(call, "AccessKeyId", bytes_text(session->access_key_id));
    put(call, "SecretAccessKey", buffer_bytes(&session->secret_access_key));
    put(call, "SessionToken", buffer_bytes(&session->session_token));
    buffer_printf(call->out, "<Expiration>%.19sZ</Expiration></Credentials><AssumedRoleUser>", iso);
    put(call, "Arn", bytes_text(session->principal));
    buffer_printf(call->out, "<AssumedRoleId>%s:%.*s</AssumedRoleId></AssumedRoleUser>", id,
                  (int)name.len, (const char *)name.at);
    return true;
}

static bool give_session(struct sts_call *call, const struct sts_role *role, int64_t seconds)
{
    struct kms_credential session;
    kms_credential_init(&session);
    bool good = check_seconds(call, role, seconds) && make_session(call, role, seconds, &session) &&
                answer_session(call, role, &session);
    kms_credential_clear(&session);
    return good;
}

/* --- the operations --- */

/* Whether the role is there, trusts the caller, and is asked for as it wants. */
static bool may_assume(struct sts_call *call, bool found, const struct sts_role *role)
{
    struct bytes arn = sts_form_value(&call->form, "RoleArn");
    struct bytes external_id = sts_form_value(&call->form, "ExternalId");
    size_t caller_len = strlen(call->caller.arn);
    if (caller_len >= 5 && strcmp(call->caller.arn + caller_len - 5, ":root") == 0)
        return kms_fail(&call->failure, "AccessDenied",
                        "Roles may not be assumed by root accounts.");
    if (found && role->trusted &&
        (role->external_id[0] == '\0' || bytes_equal_text(external_id, role->external_id)))
        return true;
    return kms_fail(&call->failure, "AccessDenied",
                    "User: %s is not authorized to perform: sts:AssumeRole on resource: %.*s",
                    call->caller.arn, arn.len < 256 ? (int)arn.len : 256, (const char *)arn.at);
}

bool sts_serve_assume_role(struct sts_call *call)
{
    static const char *const known[] = {"RoleArn", "RoleSessionName", "DurationSeconds",
                                        "ExternalId", NULL};
    int64_t seconds;
    if (!check_names(call, known) || !check_length(call, "RoleArn", ARN_MIN, ARN_MAX) ||
        !check_session_name(call) || !take_seconds(call, &seconds))
        return false;
    struct sts_role role;
    bool found = sts_roles_find(call->service->roles, sts_form_value(&call->form, "RoleArn"),
                                call->caller.arn, &role);
    bool good = may_assume(call, found, &role) && give_session(call, &role, seconds);
    buffer_clear(&role.provider.public_key);
    return good;
}

bool sts_serve_web_identity(struct sts_call *call)
{
    static const char *const known[] = {"RoleArn", "RoleSessionName", "DurationSeconds",
                                        "WebIdentityToken", NULL};
    int64_t seconds;
    if (!check_names(call, known) || !check_length(call, "RoleArn", ARN_MIN, ARN_MAX) ||
        !check_session_name(call) ||
        !check_length(call, "WebIdentityToken", TOKEN_MIN, TOKEN_MAX) ||
        !take_seconds(call, &seconds))
        return false;
    struct sts_role role;
    bool good =
        sts_roles_find(call->service->roles, sts_form_value(&call->form, "RoleArn"), "", &role) &&
        role.provider.public_key.len > 0;
    if (!good)
        kms_fail(&call->failure, "AccessDenied",
                 "Not authorized to perform sts:AssumeRoleWithWebIdentity");
    good = good &&
           sts_token_check(&role.provider, sts_form_value(&call->form, "WebIdentityToken"),
                           kms_now_us(call->service), &call->failure) &&
           give_session(call, &role, seconds);
    if (good) {
        put(call, "SubjectFromWebIdentityToken", bytes_text(role.provider.subject));
        put(call, "Audience", bytes_text(role.provider.audience));
        put(call, "Provider", bytes_text(role.provider.issuer));
    }
    buffer_clear(&role.provider.public_key);
    return good;
}

bool sts_serve_identity(struct sts_call *call)
{
    static const char *const known[] = {NULL};
    char id[UNIQUE_ID_SIZE];
    bool session = strstr(call->caller.arn, ":assumed-role/") != NULL;
    if (!check_names(call, known))
        return false;
    if (!unique_id(id, session ? "AROA" : "AIDA", bytes_text(call->caller.arn)))
        return failed_internally(call, "no hash");
    put(call, "Arn", bytes_text(call->caller.arn));
    buffer_printf(call->out, "<UserId>%s%s%s</UserId>", id, session ? ":" : "",
                  session ? strrchr(call->caller.arn, '/') + 1 : "");
    put(call, "Account", bytes_text(call->caller.account));
    return true;
}
