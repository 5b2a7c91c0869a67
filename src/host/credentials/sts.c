/* SPDX-License-Identifier: Apache-2.0 */
#include "host/credentials/sts.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "formats/clock_parse.h"
#include "formats/text.h"
#include "host/aws/aws.h"
#include "host/credentials/credentials_internal.h"
#include "host/credentials/sts_answer.h"

#define CONTENT_TYPE "application/x-www-form-urlencoded; charset=utf-8"
#define BODY_MAX     (128u << 10) /* a token of STS_TOKEN_MAX bytes, each escaped, and the rest */
#define SAID_SIZE    161          /* of STS's own message, with a terminator */
#define ORIGIN_SIZE  240
#define DURATION_MIN 900 /* seconds; STS API, AssumeRole */
#define DURATION_MAX 43200

struct call {
    const char *action;
    const char *region;
    const struct credentials *with; /* signs the request; NULL: it is not signed */
    char origin[ORIGIN_SIZE];       /* for messages */
    struct buffer body;             /* secret */
    struct buffer answer;           /* secret */
    bool answered;                  /* by whatever is at the endpoint */
};

static void call_init(struct call *call, const char *action, const char *region)
{
    *call = (struct call){.action = action, .region = region};
    buffer_init_secret(&call->body, BODY_MAX);
    buffer_init_secret(&call->answer, STS_ANSWER_MAX);
    buffer_printf(&call->body, "Action=%s&Version=2011-06-15", action);
}

static void call_clear(struct call *call)
{
    buffer_clear(&call->body);
    buffer_clear(&call->answer);
}

/* Appends &name=value to the form; all but the unreserved characters of RFC 3986 are escaped. */
static void put(struct call *call, const char *name, struct bytes value)
{
    static const char digits[] = "0123456789ABCDEF";
    buffer_printf(&call->body, "&%s=", name);
    for (size_t i = 0; i < value.len; i++) {
        uint8_t c = value.at[i];
        if ((c < 0x80 && isalnum(c)) || (c != 0 && strchr("-._~", c) != NULL)) {
            buffer_byte(&call->body, c);
            continue;
        }
        buffer_byte(&call->body, '%');
        buffer_byte(&call->body, (uint8_t)digits[c >> 4]);
        buffer_byte(&call->body, (uint8_t)digits[c & 15]);
    }
}

#define NOT_STS "see AWS_ENDPOINT_URL_STS and AWS_ENDPOINT_URL"

/* What can be done where no answer came, after the cause; empty where the cause says it. */
static const char *remedy_without_answer(enum error_code code)
{
    switch (code) {
    case ERROR_NETWORK:
    case ERROR_DEADLINE:
        return "; let this machine reach it, by a route or a VPC endpoint";
    case ERROR_TLS:
        return "; AWS_CA_BUNDLE names the certificates to trust, where the endpoint needs others";
    case ERROR_FORMAT:
        return "; what answers is not AWS STS: " NOT_STS;
    default:
        return "";
    }
}

static bool exchange(struct call *call, long *status, struct error *err)
{
    struct error why;
    struct aws_keys keys = {0};
    const struct aws_request request = {
        .service = "sts",
        .region = call->region,
        .content_type = CONTENT_TYPE,
        .body = buffer_bytes(&call->body),
        .keys = call->with != NULL ? &keys : NULL,
    };
    if (call->with != NULL)
        keys = (struct aws_keys){buffer_bytes(&call->with->access_key_id),
                                 buffer_bytes(&call->with->secret_access_key),
                                 buffer_bytes(&call->with->session_token)};
    if (call->body.failed)
        return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: the request to AWS STS is too long",
                         call->origin);
    call->answered = aws_call(&request, status, &call->answer, &why);
    return call->answered ||
           error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: AWS STS cannot be asked: %.200s%s",
                     call->origin, why.cause, remedy_without_answer(why.code));
}

/* --- the answer --- */

/* What can be done about STS's error codes. */
static const struct {
    const char *code, *remedy;
} remedies[] = {
    {"AccessDenied", "the role's trust policy must allow this caller, with this external_id if it "
                     "asks for one, and the caller needs sts:AssumeRole"},
    {"ExpiredToken", "renew the source credentials"},
    {"ExpiredTokenException", "whoever writes the token file must renew it"},
    {"IDPCommunicationError", "try again"},
    {"IDPRejectedClaim", "whoever writes the token file must renew it"},
    {"InvalidClientTokenId", "AWS does not know the access key of the source"},
    {"InvalidIdentityToken", "the issuer of the token must be an identity provider in IAM, and the "
                             "token must be for its audience"},
    {"RegionDisabledException", "activate AWS STS in that region, or set AWS_REGION"},
    {"SignatureDoesNotMatch", "the secret key of the source is wrong, or the clock here is"},
    {"Throttling", "try again"},
    {"ValidationError", "correct role_arn, role_session_name, external_id, duration_seconds"},
};

static const char *remedy_for(const struct call *call, const char *code)
{
    if (call->with == NULL && strcmp(code, "AccessDenied") == 0)
        return "the role's trust policy must allow this identity provider, audience and subject";
    for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
        if (strcmp(remedies[i].code, code) == 0)
            return remedies[i].remedy;
    return "see the AWS STS API reference";
}

static bool refused(const struct call *call, long status, struct error *err)
{
    char code[64], message[SAID_SIZE];
    BUFFER_AUTO code_text;
    BUFFER_AUTO message_text;
    buffer_init(&code_text, STS_ANSWER_MAX);
    buffer_init(&message_text, STS_ANSWER_MAX);
    struct sts_element elements[] = {{"ErrorResponse/Error/Code", &code_text, false},
                                     {"ErrorResponse/Error/Message", &message_text, false}};
    if (!sts_answer_read(buffer_bytes(&call->answer), elements, ARRAY_LEN(elements)) ||
        code_text.len == 0)
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "%s: what answers (HTTP %ld) is not AWS STS: " NOT_STS, call->origin,
                         status);
    credentials_quote(code, sizeof code, buffer_bytes(&code_text));
    credentials_quote(message, sizeof message, text_paragraph(buffer_bytes(&message_text)));
    return error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: AWS STS refuses %s: %s: %s; %s",
                     call->origin, call->action, code, message, remedy_for(call, code));
}

/* Sends the request and reads the elements of a good answer, all of which must be there. */
static bool ask(struct call *call, struct sts_element *elements, size_t count, struct error *err)
{
    long status;
    if (!exchange(call, &status, err))
        return false;
    if (status != 200)
        return refused(call, status, err);
    bool good = sts_answer_read(buffer_bytes(&call->answer), elements, count);
    for (size_t i = 0; i < count; i++)
        good = good && elements[i].found;
    return good || error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: the answer of AWS STS is malformed",
                             call->origin);
}

/* The elements of the answer to AssumeRole and to AssumeRoleWithWebIdentity. */
#define CREDENTIALS_OF(action, name) action "Response/" action "Result/Credentials/" name
#define CREDENTIAL_PATHS(action)                                                          \
    {                                                                                     \
        CREDENTIALS_OF(action, "AccessKeyId"), CREDENTIALS_OF(action, "SecretAccessKey"), \
            CREDENTIALS_OF(action, "SessionToken"), CREDENTIALS_OF(action, "Expiration")  \
    }

static bool take(struct credentials *out, struct call *call, const char *const paths[4],
                 struct error *err)
{
    struct buffer values[4];
    struct sts_element elements[4];
    for (size_t i = 0; i < 4; i++) {
        buffer_init_secret(&values[i], CREDENTIALS_FIELD_MAX);
        elements[i] = (struct sts_element){paths[i], &values[i], false};
    }
    struct buffer *fields[] = {&out->access_key_id, &out->secret_access_key, &out->session_token};
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "SessionToken"};
    bool good = ask(call, elements, ARRAY_LEN(elements), err);
    for (size_t i = 0; good && i < ARRAY_LEN(fields); i++)
        good =
            credentials_set(fields[i], buffer_bytes(&values[i]), names[i], "AWS STS's answer", err);
    if (good && !clock_parse(text_trim(buffer_bytes(&values[3])), &out->expires_us))
        good = error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "Expiration of AWS STS's answer is not a time in ISO 8601");
    for (size_t i = 0; i < 4; i++)
        buffer_clear(&values[i]);
    return good;
}

/* --- the operations --- */

static void say_origin(char *out, size_t size, const struct sts_role *role)
{
    char arn[121];
    credentials_quote(arn, sizeof arn, role->arn);
    if (role->profile != NULL)
        snprintf(out, size, "%s (role_arn of profile %.60s)", arn, role->profile);
    else
        snprintf(out, size, "%s (AWS_ROLE_ARN)", arn);
}

bool sts_find_region(char out[STS_REGION_SIZE], const struct sts_role *role,
                     struct bytes profile_region, struct error *err)
{
    char origin[ORIGIN_SIZE];
    struct bytes arn = role->arn;
    const char *name = credentials_variable("AWS_REGION");
    if (name == NULL)
        name = credentials_variable("AWS_DEFAULT_REGION");
    struct bytes region = name != NULL ? bytes_text(name) : profile_region;
    say_origin(origin, sizeof origin, role);
    if (!bytes_equal_text(text_cut(&arn, ':'), "arn"))
        return error_set(err, ERROR_CREDENTIAL_SOURCE,
                         "%s: the ARN of the role is not arn:aws:iam::ACCOUNT:role/NAME", origin);
    if (region.len == 0 && bytes_equal_text(text_cut(&arn, ':'), "aws"))
        region = bytes_text("us-east-1");
    if (region.len == 0)
        return error_set(
            err, ERROR_CREDENTIAL_SOURCE,
            "%s: there is no region for AWS STS: set AWS_REGION, or region in the profile", origin);
    credentials_quote(out, STS_REGION_SIZE, region);
    return region.len < STS_REGION_SIZE ||
           error_set(err, ERROR_CREDENTIAL_SOURCE, "%s… is not the name of an AWS region", out);
}

static bool put_duration(struct call *call, struct bytes text, struct error *err)
{
    int64_t seconds = 0;
    if (text.len == 0)
        return true;
    for (size_t i = 0; i < text.len && seconds >= 0; i++)
        seconds = isdigit(text.at[i]) && i < 5 ? seconds * 10 + (text.at[i] - '0') : -1;
    put(call, "DurationSeconds", text);
    return (seconds >= DURATION_MIN && seconds <= DURATION_MAX) ||
           error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: duration_seconds is not from %d to %d",
                     call->origin, DURATION_MIN, DURATION_MAX);
}

/* What both operations ask for. */
static bool put_role(struct call *call, const struct sts_role *role, struct error *err)
{
    char name[40];
    say_origin(call->origin, sizeof call->origin, role);
    snprintf(name, sizeof name, "enclavectl-%lld", (long long)(clock_wall_us() / 1000000));
    put(call, "RoleArn", role->arn);
    put(call, "RoleSessionName",
        role->session_name.len > 0 ? role->session_name : bytes_text(name));
    if (role->external_id.len > 0)
        put(call, "ExternalId", role->external_id);
    return put_duration(call, role->duration_seconds, err);
}

bool sts_assume_role(struct credentials *out, const char *region, const struct sts_role *role,
                     const struct credentials *with, struct error *err)
{
    static const char *const paths[4] = CREDENTIAL_PATHS("AssumeRole");
    struct call call;
    call_init(&call, "AssumeRole", region);
    call.with = with;
    bool good = put_role(&call, role, err) && take(out, &call, paths, err);
    if (good)
        snprintf(out->source, sizeof out->source, "%s", call.origin);
    call_clear(&call);
    return good;
}

bool sts_assume_role_with_web_identity(struct credentials *out, const char *region,
                                       const struct sts_role *role, struct bytes token,
                                       struct error *err)
{
    static const char *const paths[4] = CREDENTIAL_PATHS("AssumeRoleWithWebIdentity");
    struct call call;
    call_init(&call, "AssumeRoleWithWebIdentity", region);
    bool good = put_role(&call, role, err);
    put(&call, "WebIdentityToken", token);
    if (good && (token.len == 0 || token.len > STS_TOKEN_MAX))
        good = error_set(err, ERROR_CREDENTIAL_SOURCE, "%s: the file of the web identity token %s",
                         call.origin, token.len == 0 ? "is empty" : "is too long");
    good = good && take(out, &call, paths, err);
    if (good)
        snprintf(out->source, sizeof out->source, "web identity, %.238s", call.origin);
    call_clear(&call);
    return good;
}

bool sts_caller_identity(char arn[STS_ARN_SIZE], const struct credentials *credentials,
                         const char *region, struct error *err)
{
    char found[STS_REGION_SIZE];
    struct call call;
    BUFFER_AUTO value;
    buffer_init(&value, STS_ARN_SIZE - 1);
    struct sts_element element = {"GetCallerIdentityResponse/GetCallerIdentityResult/Arn", &value,
                                  false};
    const struct sts_role none = {.arn = bytes_text("arn:aws:")};
    if (!sts_find_region(found, &none, bytes_text(region != NULL ? region : ""), err))
        return false;
    call_init(&call, "GetCallerIdentity", found);
    call.with = credentials;
    snprintf(call.origin, sizeof call.origin, "%.230s", credentials->source);
    bool good = ask(&call, &element, 1, err);
    if (good)
        credentials_quote(arn, STS_ARN_SIZE, buffer_bytes(&value));
    else if (!call.answered)
        err->code = ERROR_NETWORK;
    call_clear(&call);
    return good;
}
