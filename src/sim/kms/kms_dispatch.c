/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an HTTP request to an operation and back: AWS JSON 1.1 (`X-Amz-Target: TrentService.NAME`,
 * a JSON object in, a JSON object or {"__type", "message"} out). One line in the log for each.
 */
#include "sim/kms/kms_dispatch.h"

#include "base/log.h"
#include "sim/kms/kms_auth.h"
#include "sim/kms/kms_operations.h"

#define TARGET_PREFIX "TrentService."
#define LARGE_BLANKS  (256 << 10) /* bytes, for KMS_FAULT_LARGE */

static const struct operation {
    const char *name;
    bool (*run)(struct kms_call *call);
} operations[] = {
    {"CreateAlias", kms_create_alias},
    {"CreateKey", kms_create_key},
    {"Decrypt", kms_decrypt},
    {"DescribeKey", kms_describe_key},
    {"DisableKey", kms_disable_key},
    {"EnableKey", kms_enable_key},
    {"Encrypt", kms_encrypt},
    {"GenerateDataKey", kms_generate_data_key},
    {"GenerateDataKeyWithoutPlaintext", kms_generate_data_key_without_plaintext},
    {"GenerateRandom", kms_generate_random},
    {"GetKeyPolicy", kms_get_key_policy},
    {"GetPublicKey", kms_get_public_key},
    {"PutKeyPolicy", kms_put_key_policy},
    {"Sign", kms_sign},
};

static const struct operation *find_operation(const struct kms_request *request)
{
    size_t count = 0;
    struct bytes target = kms_request_header(request, "x-amz-target", &count);
    if (count != 1 || target.len <= sizeof TARGET_PREFIX - 1 ||
        memcmp(target.at, TARGET_PREFIX, sizeof TARGET_PREFIX - 1) != 0)
        return NULL;
    struct bytes name = bytes_from(target, sizeof TARGET_PREFIX - 1);
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (bytes_equal_text(name, operations[i].name))
            return &operations[i];
    return NULL;
}

static const struct operation *route(struct kms_call *call)
{
    const struct kms_request *request = call->request;
    const struct operation *operation = NULL;
    if (bytes_equal_text(request->method, "POST") && request->target.len > 0 &&
        (bytes_equal_text(request->target, "/") ||
         (request->target.len > 1 && memcmp(request->target.at, "/?", 2) == 0)))
        operation = find_operation(request);
    if (operation == NULL)
        kms_fail_type(&call->failure, "UnknownOperationException");
    return operation;
}

static bool parse_body(struct kms_call *call)
{
    struct error err = {.code = ERROR_NONE};
    if (!json_parse(&call->in, call->request->body, &err))
        return kms_fail(&call->failure, "SerializationException", "The body is not JSON: %s",
                        err.cause);
    if (json_type(&call->in, 0) != JSON_OBJECT)
        return kms_fail(&call->failure, "SerializationException", "The body is not an object");
    return true;
}

/* Faults that take the place of the operation. */
static bool fails_instead(struct kms_call *call)
{
    switch (call->fault) {
    case KMS_FAULT_400:
        return !kms_fail(&call->failure, "ValidationException", "This request is not valid");
    case KMS_FAULT_403:
        return !kms_fail(&call->failure, "AccessDeniedException", "This request is not allowed");
    case KMS_FAULT_500:
        return !kms_fail_type(&call->failure, "KMSInternalException");
    case KMS_FAULT_503:
        return !kms_fail(&call->failure, "DependencyTimeoutException",
                         "The system timed out while trying to fulfill the request.");
    case KMS_FAULT_THROTTLE:
        return !kms_fail(&call->failure, "ThrottlingException",
                         "You have exceeded the rate at which you may call KMS. Reduce the "
                         "frequency of your calls.");
    default:
        return false;
    }
}

static bool serve(struct kms_call *call)
{
    const struct operation *operation = route(call);
    if (operation == NULL)
        return false;
    call->operation = operation->name;
    call->fault = kms_faults_take(call->service->faults, operation->name);
    if (fails_instead(call))
        return false;
    kms_credentials_refresh(call->service->store, &call->service->credentials);
    return kms_authenticate(call->service, "kms", call->request, &call->caller, &call->failure) &&
           parse_body(call) && operation->run(call);
}

static void log_result(const struct kms_call *call, bool ok, unsigned status)
{
    const char *principal = call->caller.arn[0] != '\0' ? call->caller.arn : "unauthenticated";
    const char *key = call->key.arn[0] != '\0' ? call->key.arn : "none";
    bool injected = call->fault != KMS_FAULT_NONE;
    const char *fault = injected ? kms_fault_name(call->fault) : "";
    const char *label = injected ? ", fault injected: " : "";
    if (ok)
        log_info("request %s: %s by %s key %s: ok%s%s%s", call->request->id, call->operation,
                 principal, key, call->attested ? ", for an attested recipient" : "", label, fault);
    else
        log_warning("request %s: %s by %s key %s: %u %s%s%s%s%s", call->request->id,
                    call->operation, principal, key, status, call->failure.type,
                    call->failure.message[0] != '\0' ? ": " : "", call->failure.message, label,
                    fault);
}

static unsigned status_of(const struct kms_call *call)
{
    const struct kms_failure *failure = &call->failure;
    if (call->fault == KMS_FAULT_403)
        return 403;
    if (strcmp(failure->type, "KMSInternalException") == 0)
        return 500;
    if (strcmp(failure->type, "DependencyTimeoutException") == 0)
        return 503;
    return 400;
}

/* KMS spells Message with a capital in AccessDeniedException and SerializationException. */
static void write_failure(struct buffer *body, const struct kms_failure *failure)
{
    bool capital = strcmp(failure->type, "AccessDeniedException") == 0 ||
                   strcmp(failure->type, "SerializationException") == 0;
    buffer_reset(body);
    struct json_writer w = json_writer(body);
    json_object(&w, NULL);
    json_text(&w, "__type", failure->type);
    if (failure->message[0] != '\0')
        json_text(&w, capital ? "Message" : "message", failure->message);
    json_end(&w);
}

void kms_deliver_fault(enum kms_fault fault, struct kms_answer *answer)
{
    switch (fault) {
    case KMS_FAULT_GARBAGE:
        buffer_reset(&answer->body);
        buffer_text(&answer->body, "{\"KeyId\": \"<html>\x01 this is not");
        break;
    case KMS_FAULT_LARGE:
        for (int i = 0; i < LARGE_BLANKS; i++)
            buffer_byte(&answer->body, ' ');
        break;
    case KMS_FAULT_HALF:
        answer->delivery = KMS_DELIVER_HALF;
        break;
    case KMS_FAULT_HANG:
        answer->delivery = KMS_DELIVER_NEVER;
        break;
    case KMS_FAULT_RESET:
        answer->delivery = KMS_DELIVER_RESET;
        break;
    default:
        break;
    }
}

/* An operation whose answer has no members has an empty body. */
static void finish(struct kms_call *call, struct kms_answer *answer, bool ok)
{
    bool empty = answer->body.len == 1; /* the opening brace */
    json_end(&call->out);
    if (ok && answer->body.failed)
        ok = kms_fail_internal(call, "no memory for the answer");
    if (!ok)
        write_failure(&answer->body, &call->failure);
    else if (empty)
        buffer_reset(&answer->body);
    answer->status = ok ? 200 : status_of(call);
    kms_deliver_fault(call->fault, answer);
    if (answer->body.failed)
        answer->delivery = KMS_DELIVER_RESET;
    log_result(call, ok, answer->status);
}

void kms_handle(struct kms_service *service, const struct kms_request *request,
                struct kms_answer *answer)
{
    struct kms_call call = {.service = service, .request = request, .operation = "none"};
    answer->content_type = "application/x-amz-json-1.1";
    buffer_init_secret(&answer->body, KMS_ANSWER_MAX);
    json_init(&call.in, JSON_DEPTH);
    kms_key_init(&call.key);
    kms_context_init(&call.context);
    buffer_init(&call.document, KMS_BODY_MAX);
    call.out = json_writer(&answer->body);
    json_object(&call.out, NULL);

    pthread_mutex_lock(&service->lock);
    bool ok = serve(&call);
    finish(&call, answer, ok);
    pthread_mutex_unlock(&service->lock);

    json_clear(&call.in);
    kms_key_clear(&call.key);
    kms_context_clear(&call.context);
    buffer_clear(&call.document);
}
