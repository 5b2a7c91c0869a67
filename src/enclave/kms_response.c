/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two shapes (KMS API reference, Decrypt; AWS JSON 1.1 errors):
 *
 *     200 {"KeyId": ARN, "EncryptionAlgorithm": …, "CiphertextForRecipient": base64}
 *     4xx, 5xx {"__type": "…#AccessDeniedException", "message" or "Message": text}
 *
 * Nothing of a good answer reaches a log or a cause: it could hold a plaintext.
 */
#include "enclave/kms_message.h"

#include "base/base64.h"
#include "codec/json.h"

/*
 * Refusals that are not a denial, by a part of their type: KMS API reference, Decrypt, "Errors";
 * AWS General Reference, "Common errors". Hints for operators are in src/host/kms_hints.c.
 */
static enum error_code code_of(const struct kms_refusal *refusal)
{
    static const struct {
        const char *part;
        enum error_code code;
    } types[] = {
        {"ExpiredToken", ERROR_CREDENTIALS_EXPIRED},
        {"Throttling", ERROR_KMS_THROTTLED},
        {"LimitExceeded", ERROR_KMS_THROTTLED},
        {"TooManyRequests", ERROR_KMS_THROTTLED},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (strstr(refusal->type, types[i].part) != NULL)
            return types[i].code;
    return refusal->http_status >= 500   ? ERROR_KMS_UNAVAILABLE
           : refusal->http_status == 429 ? ERROR_KMS_THROTTLED
                                         : ERROR_KMS_DENIED;
}

/*
 * Copies string member name, cut to size, everything outside printable ASCII becoming '?'. A blank
 * line ends it: where a signature is wrong, AWS repeats after it what was signed, with the session
 * token.
 */
static bool copy_text(char *out, size_t size, const struct json *doc, const char *name)
{
    BUFFER_AUTO text;
    buffer_init_secret(&text, KMS_BODY_MAX);
    json_value v = json_member(doc, 0, name);
    if (v == JSON_NONE || !json_string(doc, v, &text))
        return false;
    const uint8_t *blank = text.len > 0 ? memmem(text.at, text.len, "\n\n", 2) : NULL;
    size_t n = blank != NULL ? (size_t)(blank - text.at) : text.len;
    n = n < size - 1 ? n : size - 1;
    for (size_t i = 0; i < n; i++)
        out[i] = (char)(text.at[i] >= 0x20 && text.at[i] < 0x7f ? text.at[i] : '?');
    out[n] = '\0';
    return true;
}

static void read_refusal(struct kms_refusal *refusal, const struct json *doc)
{
    if (copy_text(refusal->type, sizeof refusal->type, doc, "__type")) {
        const char *name = strrchr(refusal->type, '#');
        if (name != NULL)
            memmove(refusal->type, name + 1, strlen(name + 1) + 1);
    }
    if (!copy_text(refusal->message, sizeof refusal->message, doc, "message"))
        (void)copy_text(refusal->message, sizeof refusal->message, doc, "Message");
}

static bool refused(const struct kms_refusal *refusal, struct error *err)
{
    return error_set(err, code_of(refusal), "KMS answered %u %s", refusal->http_status,
                     refusal->type[0] != '\0' ? refusal->type : "without a type");
}

static bool malformed(struct error *err, const char *what)
{
    return error_set(err, ERROR_KMS_RESPONSE, "the answer of KMS: %s", what);
}

/* Absent, null or "": any other Plaintext has been on a wire that it should never see. */
static bool has_plaintext(const struct json *doc)
{
    json_value v = json_member(doc, 0, "Plaintext");
    return v != JSON_NONE && json_type(doc, v) != JSON_NULL && !json_string_is(doc, v, "");
}

/* Byte for byte: an alias or another account's key of the same id is not the pinned key. */
static bool check_key(const struct json *doc, const char *key_arn, struct error *err)
{
    BUFFER_AUTO key_id;
    buffer_init(&key_id, KMS_BODY_MAX);
    json_value v = json_member(doc, 0, "KeyId");
    if (v == JSON_NONE || !json_string(doc, v, &key_id))
        return malformed(err, "no KeyId");
    if (!bytes_equal_text(buffer_bytes(&key_id), key_arn))
        return error_set(err, ERROR_KEY_MISMATCH,
                         "KMS unwrapped the TSK under a different key than %s: the wrapped TSK is "
                         "not the one that was made for this enclave",
                         key_arn);
    return true;
}

static bool read_envelope(const struct config *config, const struct json *doc,
                          struct buffer *envelope, struct error *err)
{
    if (json_type(doc, 0) != JSON_OBJECT)
        return malformed(err, "no JSON object");
    json_value v = json_member(doc, 0, "CiphertextForRecipient");
    if (has_plaintext(doc))
        return malformed(err, v == JSON_NONE || json_type(doc, v) != JSON_STRING
                                  ? "it has Plaintext and no CiphertextForRecipient: this endpoint "
                                    "does not support Recipient"
                                  : "it has Plaintext besides CiphertextForRecipient");
    if (!check_key(doc, config->key_arn, err))
        return false;
    BUFFER_AUTO text;
    buffer_init(&text, KMS_BODY_MAX);
    if (v == JSON_NONE || !json_string(doc, v, &text) || text.len == 0)
        return malformed(err, "no CiphertextForRecipient");
    if (!base64_decode(envelope, buffer_bytes(&text)))
        return malformed(err, "CiphertextForRecipient is not base64 or too long");
    return true;
}

bool kms_response_read(const struct config *config, const struct http_response *response,
                       struct buffer *envelope, struct kms_refusal *refusal, struct error *err)
{
    struct json doc;
    struct error not_json = {0};
    json_init(&doc, JSON_DEPTH);
    bool parsed = json_parse(&doc, response->body, &not_json);
    bool ok = false;
    if (not_json.code == ERROR_MEMORY) {
        error_set(err, ERROR_MEMORY, "no memory to read the answer of KMS");
    } else if (response->status == 200) {
        ok = parsed ? read_envelope(config, &doc, envelope, err) : malformed(err, "not JSON");
    } else if (response->status >= 400) {
        refusal->http_status = (unsigned)response->status;
        if (parsed)
            read_refusal(refusal, &doc);
        ok = refused(refusal, err);
    } else {
        error_set(err, ERROR_KMS_RESPONSE, "the answer of KMS: unexpected HTTP status %zu",
                  response->status);
    }
    json_clear(&doc);
    return ok;
}
