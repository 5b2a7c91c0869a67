/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of `enclavectl dev` to the simulated KMS, as an administrator makes them to AWS's. */
#include <stdio.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/hex.h"
#include "base/secret.h"
#include "codec/json.h"
#include "codec/json_writer.h"
#include "formats/text.h"
#include "host/dev/dev.h"
#include "host/keypolicy/policy_write.h"
#include "host/web.h"
#include "system/file.h"

#define BODY_LIMIT 65536 /* bytes, both ways */
#define TSK_SIZE   32

/* Copies string member name of a KMS answer into out. */
static bool take_member(const struct json *doc, json_value object, const char *name,
                        struct buffer *out, struct error *err)
{
    json_value v = object == JSON_NONE ? JSON_NONE : json_member(doc, object, name);
    if (v == JSON_NONE || json_type(doc, v) != JSON_STRING || !json_string(doc, v, out))
        return error_set(err, ERROR_KMS_RESPONSE, "the answer of the simulated KMS has no %s",
                         name);
    return true;
}

static bool refused(const struct json *doc, const char *operation, long status, struct error *err)
{
    BUFFER_AUTO type;
    BUFFER_AUTO message;
    struct error ignored;
    buffer_init(&type, 256);
    buffer_init(&message, 1024);
    if (!take_member(doc, 0, "__type", &type, &ignored))
        buffer_reset(&type);
    if (!take_member(doc, 0, "message", &message, &ignored) &&
        !take_member(doc, 0, "Message", &message, &ignored))
        buffer_reset(&message);
    return error_set(err, ERROR_KMS_DENIED, "the simulated KMS refused %s: HTTP %ld %.*s: %.*s",
                     operation, status, (int)type.len, type.len > 0 ? (char *)type.at : "",
                     (int)message.len, message.len > 0 ? (char *)message.at : "");
}

/* Calls an operation. The answer is in text and its index in doc. */
static bool call(const struct dev *dev, const char *operation, struct bytes body,
                 struct buffer *text, struct json *doc, struct error *err)
{
    char target[80], ca[DEV_PATH_MAX];
    if (!dev_path(dev, "kms-ca.pem", ca, err))
        return false;
    snprintf(target, sizeof target, "X-Amz-Target: TrentService.%s", operation);
    const struct web_request request = {
        .method = "POST",
        .url = "https://" DEV_HOST "/",
        .headers = {"Content-Type: application/x-amz-json-1.1", target},
        .body = body,
        .connect_ms = DEV_WAIT_MS,
        .total_ms = DEV_WAIT_MS,
        .ca_file = ca,
        .connect_to = dev->relay + strlen("tcp:"),
        .sign = "aws:amz:" DEV_REGION ":kms",
        .access_key_id = (const char *)dev->admin.access_key_id.at,
        .secret_access_key = (const char *)dev->admin.secret_access_key.at,
    };
    long status;
    struct error web, parse;
    if (!web_exchange(&request, &status, text, &web))
        return error_set(err, web.code, "%s at the simulated KMS: %.200s", operation, web.cause);
    if (text->len == 0 && status == 200)
        return true; /* the answer to PutKeyPolicy is empty */
    if (!json_parse(doc, buffer_bytes(text), &parse) || json_type(doc, 0) != JSON_OBJECT)
        return error_set(err, ERROR_KMS_RESPONSE,
                         "the answer of the simulated KMS is not a JSON object");
    return status == 200 || refused(doc, operation, status, err);
}

/* Calls an operation and copies a member of the answer, or of its KeyMetadata, to out. member may
 * be NULL. */
static bool call_for(const struct dev *dev, const char *operation, const struct buffer *body,
                     const char *member, struct buffer *out, struct error *err)
{
    struct json doc;
    struct buffer text;
    json_init(&doc, JSON_DEPTH);
    buffer_init_secret(&text, BODY_LIMIT);
    bool good = body->failed ? error_set(err, ERROR_MEMORY, "no memory for %s", operation)
                             : call(dev, operation, buffer_bytes(body), &text, &doc, err);
    if (good && member != NULL) {
        json_value inner = json_member(&doc, 0, "KeyMetadata");
        good = take_member(&doc, inner != JSON_NONE ? inner : 0, member, out, err);
    }
    json_clear(&doc);
    buffer_clear(&text);
    return good;
}

/* --- the policy --- */

/* The policy of an enclave. A developer may also choose a session key and wrap it. */
static bool put_policy(const struct dev *dev, bool measured, struct buffer *out, struct error *err)
{
    static const char *const provisions[] = {"kms:Encrypt", "kms:GenerateDataKeyWithoutPlaintext",
                                             NULL};
    struct policy_image image = {.path = "enclaved-dev", .registers.present = 1};
    if (measured && (strlen(dev->pcr0) != (size_t)2 * PCR_SIZE ||
                     !hex_decode(image.registers.value[0], bytes_text(dev->pcr0))))
        return error_set(err, ERROR_INTERNAL, "PCR0 of enclaved-dev is unknown");
    const struct policy_plan plan = {
        .partition = "aws",
        .account = DEV_ACCOUNT,
        .role_arn = DEV_ROLE,
        .provisioner_arn = DEV_ROOT,
        .provisions = provisions,
        .images = &image,
        .image_count = measured ? 1 : 0,
    };
    policy_write(&plan, out);
    return true;
}

bool dev_policy(const struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX];
    BUFFER_AUTO policy;
    BUFFER_AUTO body;
    buffer_init(&policy, BODY_LIMIT);
    buffer_init(&body, BODY_LIMIT);
    if (!put_policy(dev, true, &policy, err))
        return false;
    struct json_writer w = json_writer(&body);
    json_object(&w, NULL);
    json_text(&w, "KeyId", dev->key_arn);
    json_text(&w, "PolicyName", "default");
    json_text_bytes(&w, "Policy", buffer_bytes(&policy));
    json_end(&w);
    return dev_path(dev, "policy.json", path, err) &&
           file_replace(path, buffer_bytes(&policy), 0600, err) &&
           call_for(dev, "PutKeyPolicy", &body, NULL, NULL, err);
}

/* --- the key --- */

/* Takes the ARN that an earlier start left. False if its key is gone. */
static bool known_key(struct dev *dev)
{
    char path[DEV_PATH_MAX];
    struct error err;
    BUFFER_AUTO text;
    BUFFER_AUTO body;
    buffer_init(&text, sizeof dev->key_arn - 1);
    buffer_init(&body, 1024);
    if (!dev_path(dev, "key-arn", path, &err) || access(path, R_OK) != 0 ||
        !file_read(path, &text, &err))
        return false;
    struct bytes arn = text_trim(buffer_bytes(&text));
    struct json_writer w = json_writer(&body);
    json_object(&w, NULL);
    json_text_bytes(&w, "KeyId", arn);
    json_end(&w);
    if (arn.len == 0 || !call_for(dev, "DescribeKey", &body, NULL, NULL, &err))
        return false;
    snprintf(dev->key_arn, sizeof dev->key_arn, "%.*s", (int)arn.len, (const char *)arn.at);
    return true;
}

bool dev_key(struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX], wrapped[DEV_PATH_MAX];
    if (!dev_path(dev, "key-arn", path, err) || !dev_path(dev, "tsk.b64", wrapped, err))
        return false;
    if (known_key(dev))
        return true;
    BUFFER_AUTO policy;
    BUFFER_AUTO body;
    BUFFER_AUTO arn;
    buffer_init(&policy, BODY_LIMIT);
    buffer_init(&body, BODY_LIMIT);
    buffer_init(&arn, sizeof dev->key_arn - 1);
    if (!put_policy(dev, false, &policy, err))
        return false;
    struct json_writer w = json_writer(&body);
    json_object(&w, NULL);
    json_text(&w, "Description", "enclavectl dev");
    json_text_bytes(&w, "Policy", buffer_bytes(&policy));
    json_end(&w);
    if (!call_for(dev, "CreateKey", &body, "Arn", &arn, err))
        return false;
    unlink(wrapped); /* it was wrapped under a key that is gone */
    snprintf(dev->key_arn, sizeof dev->key_arn, "%.*s", (int)arn.len, arn.at);
    return file_replace(path, buffer_bytes(&arn), 0600, err);
}

/* --- the wrapped TSK --- */

/* Reads the 64 hex digits of --tsk-file into tsk. */
static bool read_tsk(const char *path, uint8_t tsk[TSK_SIZE], struct error *err)
{
    struct buffer text;
    buffer_init_secret(&text, 256);
    bool good = file_read(path, &text, err);
    if (good) {
        struct bytes digits = text_trim(buffer_bytes(&text));
        good = (digits.len == (size_t)2 * TSK_SIZE && hex_decode(tsk, digits)) ||
               error_set(err, ERROR_USAGE, "%.200s does not hold 64 hex digits", path);
    }
    buffer_clear(&text);
    return good;
}

static bool wrap_given(const struct dev *dev, struct buffer *blob, struct error *err)
{
    uint8_t tsk[TSK_SIZE] = {0};
    struct buffer body;
    buffer_init_secret(&body, 4096);
    bool good = read_tsk(dev->tsk_file, tsk, err);
    if (good) {
        struct json_writer w = json_writer(&body);
        json_object(&w, NULL);
        json_text(&w, "KeyId", dev->key_arn);
        json_base64(&w, "Plaintext", bytes_of(tsk, sizeof tsk));
        json_verbatim(&w, "EncryptionContext", bytes_text(DEV_CONTEXT_JSON));
        json_end(&w);
        good = call_for(dev, "Encrypt", &body, "CiphertextBlob", blob, err);
    }
    wipe(tsk, sizeof tsk);
    buffer_clear(&body);
    return good;
}

static bool wrap_new(const struct dev *dev, struct buffer *blob, struct error *err)
{
    BUFFER_AUTO body;
    buffer_init(&body, 4096);
    struct json_writer w = json_writer(&body);
    json_object(&w, NULL);
    json_text(&w, "KeyId", dev->key_arn);
    json_text(&w, "KeySpec", "AES_256");
    json_verbatim(&w, "EncryptionContext", bytes_text(DEV_CONTEXT_JSON));
    json_end(&w);
    return call_for(dev, "GenerateDataKeyWithoutPlaintext", &body, "CiphertextBlob", blob, err);
}

bool dev_wrap(const struct dev *dev, struct error *err)
{
    char path[DEV_PATH_MAX];
    if (!dev_path(dev, "tsk.b64", path, err))
        return false;
    if (dev->tsk_file == NULL && access(path, R_OK) == 0)
        return true;
    BUFFER_AUTO blob;
    buffer_init(&blob, 16384);
    bool wrapped = dev->tsk_file != NULL ? wrap_given(dev, &blob, err) : wrap_new(dev, &blob, err);
    return wrapped && file_replace(path, buffer_bytes(&blob), 0600, err);
}
