/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POST / HTTP/1.1, x-amz-target TrentService.Decrypt, signed with SigV4:
 *
 *     {"CiphertextBlob": base64, "KeyId": ARN, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
 *      "EncryptionContext": {…}, "Recipient": {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
 *      "AttestationDocument": base64}}
 */
#include "enclave/kms_message.h"

#include "base/base64.h"
#include "base/clock.h"
#include "codec/json_writer.h"
#include "crypto/sigv4.h"

#define CONTENT_TYPE "application/x-amz-json-1.1"
#define TARGET       "TrentService.Decrypt"
#define SERVICE      "kms"

static bool is_visible(const char *text, size_t least)
{
    size_t len = strlen(text);
    for (size_t i = 0; i < len; i++)
        if (text[i] < 0x21 || text[i] > 0x7e)
            return false;
    return len >= least;
}

bool kms_credentials_valid(const struct kms_credentials *c)
{
    return is_visible(c->access_key_id, 1) && is_visible(c->secret_access_key, 1) &&
           is_visible(c->session_token, 0);
}

static void write_body(struct buffer *body, const struct kms_call *call, struct bytes document)
{
    struct bytes context = buffer_bytes(&call->config->encryption_context);
    struct json_writer w = json_writer(body);
    json_object(&w, NULL);
    json_base64(&w, "CiphertextBlob", call->wrapped);
    json_text(&w, "KeyId", call->config->key_arn);
    json_text(&w, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    if (!bytes_equal_text(context, "{}"))
        json_verbatim(&w, "EncryptionContext", context);
    json_object(&w, "Recipient");
    json_text(&w, "KeyEncryptionAlgorithm", "RSAES_OAEP_SHA_256");
    json_base64(&w, "AttestationDocument", document);
    json_end(&w);
    json_end(&w);
}

static void put_header(struct buffer *head, const struct sigv4_header *header)
{
    buffer_append(head, header->name);
    buffer_text(head, ": ");
    buffer_append(head, header->value);
    buffer_text(head, "\r\n");
}

/* The lengths were checked; the date is sigv4's own array. */
static bool write_head(struct buffer *head, struct bytes body, const struct kms_call *call,
                       int64_t now_us)
{
    const struct kms_credentials *credentials = call->credentials;
    struct sigv4_scope scope = {.region = bytes_text(call->config->region),
                                .service = bytes_text(SERVICE)};
    clock_format_basic(scope.amz_date, now_us);
    /* By name, as SigV4 wants them. */
    struct sigv4_header headers[5] = {
        {bytes_text("content-type"), bytes_text(CONTENT_TYPE)},
        {bytes_text("host"), bytes_text(call->config->host)},
        {bytes_text("x-amz-date"), bytes_text(scope.amz_date)},
    };
    size_t count = 3;
    if (credentials->session_token[0] != '\0')
        headers[count++] = (struct sigv4_header){bytes_text("x-amz-security-token"),
                                                 bytes_text(credentials->session_token)};
    headers[count++] = (struct sigv4_header){bytes_text("x-amz-target"), bytes_text(TARGET)};
    struct sigv4_request request = {.method = bytes_text("POST"),
                                    .path = bytes_text("/"),
                                    .headers = headers,
                                    .header_count = count,
                                    .payload = body};
    buffer_text(head, "POST / HTTP/1.1\r\n");
    for (size_t i = 0; i < count; i++)
        put_header(head, &headers[i]);
    buffer_printf(head, "content-length: %zu\r\nconnection: close\r\nauthorization: ", body.len);
    if (!sigv4_authorization(head, &request, &scope, bytes_text(credentials->access_key_id),
                             bytes_text(credentials->secret_access_key)))
        return false;
    buffer_text(head, "\r\n\r\n");
    return true;
}

bool kms_request_build(struct buffer *head, struct buffer *body, const struct kms_call *call,
                       struct bytes document, int64_t now_us, struct error *err)
{
    if (!kms_credentials_valid(call->credentials))
        return error_set(err, ERROR_NO_CREDENTIALS, "the AWS credentials are empty or malformed");
    write_body(body, call, document);
    if (!body->failed && !write_head(head, buffer_bytes(body), call, now_us))
        return error_set(err, ERROR_CRYPTO, "the request to KMS cannot be signed");
    return (!body->failed && !head->failed) ||
           error_set(err, ERROR_MEMORY, "no memory for the request to KMS");
}
