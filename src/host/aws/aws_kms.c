/* SPDX-License-Identifier: Apache-2.0 */
#include "host/aws/aws_kms.h"

#include <stdio.h>
#include <time.h>

#include "base/base64.h"
#include "base/secret.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "formats/arn.h"
#include "formats/text.h"

#define BODY_MAX   8192  /* bytes of a request */
#define ANSWER_MAX 65536 /* bytes */
#define SAID_MAX   380   /* characters of KMS's own message */
#define ATTEMPTS   3     /* as AWS's SDKs make them */
#define PAUSE_MS   200   /* before the second attempt; twice as long before the third */
#define KEY_SPEC   "ECC_NIST_P384"
#define KEY_USAGE  "SIGN_VERIFY"
#define ALGORITHM  "ECDSA_SHA_384"

bool aws_kms_key(struct aws_kms_key *out, const char *text, struct error *err)
{
    struct arn arn;
    *out = (struct aws_kms_key){.arn = text};
    if (!arn_is_key(bytes_text(text)) || !arn_parse(&arn, bytes_text(text)) ||
        arn.region.len >= sizeof out->region)
        return error_set(err, ERROR_USAGE,
                         "%.200s is not the ARN of a KMS key, arn:aws:kms:REGION:ACCOUNT:key/ID",
                         text);
    memcpy(out->region, arn.region.at, arn.region.len);
    return true;
}

/* --- calls --- */

struct call {
    const struct aws_kms_key *key;
    const struct aws_keys *keys;
    const char *operation;
    struct buffer body;
    struct buffer text; /* the answer */
    struct json answer; /* its index */
};

static void call_init(struct call *call, const struct aws_kms_key *key, const struct aws_keys *keys,
                      const char *operation)
{
    *call = (struct call){.key = key, .keys = keys, .operation = operation};
    buffer_init(&call->body, BODY_MAX);
    buffer_init(&call->text, ANSWER_MAX);
    json_init(&call->answer, JSON_DEPTH);
}

static void call_clear(struct call *call)
{
    buffer_clear(&call->body);
    buffer_clear(&call->text);
    json_clear(&call->answer);
}

static bool malformed(const struct call *call, const char *what, struct error *err)
{
    return error_set(err, ERROR_KMS_RESPONSE, "the answer of KMS to %s %s", call->operation, what);
}

/* The text of a member of the answer; empty if there is none. */
static void copy_text(const struct call *call, const char *name, char *out, size_t size)
{
    json_value value = json_member(&call->answer, 0, name);
    if (value == JSON_NONE || !json_copy_string(&call->answer, value, out, size))
        out[0] = '\0';
}

/* What KMS says where it does not do it: {"__type": "SHAPE", "message" or "Message": "…"}. */
static bool refused(const struct call *call, long status, struct error *err)
{
    char type[128], message[2048];
    copy_text(call, "__type", type, sizeof type);
    copy_text(call, "message", message, sizeof message);
    if (message[0] == '\0')
        copy_text(call, "Message", message, sizeof message);
    struct bytes said = text_paragraph(bytes_text(message));
    const char *hash = strrchr(type, '#');
    const char *name = hash != NULL ? hash + 1 : type;
    enum error_code code = strstr(name, "Throttling") != NULL ? ERROR_KMS_THROTTLED
                           : status >= 500                    ? ERROR_KMS_UNAVAILABLE
                                                              : ERROR_KMS_DENIED;
    error_set(err, code, "KMS answered %s with HTTP %ld %s%s%.*s", call->operation, status, name,
              said.len > 0 ? ": " : "", said.len < SAID_MAX ? (int)said.len : SAID_MAX, message);
    wipe(message, sizeof message); /* its rest may have the session token */
    return false;
}

static bool call_once(struct call *call, struct error *err)
{
    char target[64];
    long status = 0;
    struct error why;
    snprintf(target, sizeof target, "TrentService.%s", call->operation);
    const struct aws_request request = {
        .service = "kms",
        .region = call->key->region,
        .content_type = "application/x-amz-json-1.1",
        .target = target,
        .body = buffer_bytes(&call->body),
        .keys = call->keys,
    };
    if (!aws_call(&request, &status, &call->text, &why))
        return error_set(err, why.code == ERROR_FORMAT ? ERROR_KMS_RESPONSE : why.code, "%s: %s",
                         call->operation, why.cause);
    bool is_object = json_parse(&call->answer, buffer_bytes(&call->text), &why) &&
                     json_type(&call->answer, 0) == JSON_OBJECT;
    if (status != 200)
        return is_object
                   ? refused(call, status, err)
                   : error_set(err, status >= 500 ? ERROR_KMS_UNAVAILABLE : ERROR_KMS_RESPONSE,
                               "KMS answered %s with HTTP %ld", call->operation, status);
    return is_object || malformed(call, "is not a JSON object", err);
}

static void pause_before(unsigned attempt)
{
    long ms = PAUSE_MS << (attempt - 1);
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static bool perform(struct call *call, struct error *err)
{
    if (call->body.failed)
        return error_set(err, ERROR_MEMORY, "no memory for %s", call->operation);
    for (unsigned attempt = 1;; attempt++) {
        if (call_once(call, err))
            return true;
        if (attempt == ATTEMPTS ||
            (err->code != ERROR_KMS_THROTTLED && err->code != ERROR_KMS_UNAVAILABLE))
            return false;
        pause_before(attempt);
    }
}

/* --- answers --- */

static bool require_text(const struct call *call, const char *name, const char *wanted,
                         enum error_code code, struct error *err)
{
    char text[256];
    copy_text(call, name, text, sizeof text);
    return strcmp(text, wanted) == 0 || error_set(err, code, "%s of the KMS key is %s, not %s",
                                                  name, text[0] != '\0' ? text : "missing", wanted);
}

static bool take_base64(const struct call *call, const char *name, struct buffer *out,
                        struct error *err)
{
    BUFFER_AUTO text;
    buffer_init(&text, ANSWER_MAX);
    json_value value = json_member(&call->answer, 0, name);
    return (value != JSON_NONE && json_string(&call->answer, value, &text) &&
            base64_decode(out, buffer_bytes(&text))) ||
           malformed(call, "lacks what was asked for", err);
}

bool aws_kms_public_key(const struct aws_kms_key *key, const struct aws_keys *keys,
                        struct buffer *spki, struct error *err)
{
    struct call call;
    call_init(&call, key, keys, "GetPublicKey");
    struct json_writer w = json_writer(&call.body);
    json_object(&w, NULL);
    json_text(&w, "KeyId", key->arn);
    json_end(&w);
    bool good = perform(&call, err) &&
                require_text(&call, "KeyId", key->arn, ERROR_KEY_MISMATCH, err) &&
                require_text(&call, "KeySpec", KEY_SPEC, ERROR_USAGE, err) &&
                require_text(&call, "KeyUsage", KEY_USAGE, ERROR_USAGE, err) &&
                take_base64(&call, "PublicKey", spki, err);
    call_clear(&call);
    return good;
}

bool aws_kms_sign(const struct aws_kms_key *key, const struct aws_keys *keys, struct bytes digest,
                  struct buffer *signature, struct error *err)
{
    struct call call;
    call_init(&call, key, keys, "Sign");
    struct json_writer w = json_writer(&call.body);
    json_object(&w, NULL);
    json_text(&w, "KeyId", key->arn);
    json_base64(&w, "Message", digest);
    json_text(&w, "MessageType", "DIGEST");
    json_text(&w, "SigningAlgorithm", ALGORITHM);
    json_end(&w);
    bool good = perform(&call, err) &&
                require_text(&call, "KeyId", key->arn, ERROR_KEY_MISMATCH, err) &&
                take_base64(&call, "Signature", signature, err);
    call_clear(&call);
    return good;
}
