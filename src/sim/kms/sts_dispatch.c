/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS STS: the Query protocol. A form with Action and Version in, XML out:
 *
 *     <ACTIONResponse xmlns="…"><ACTIONResult>…</ACTIONResult>
 *         <ResponseMetadata><RequestId>…</RequestId></ResponseMetadata></ACTIONResponse>
 *     <ErrorResponse xmlns="…"><Error><Type>…</Type><Code>…</Code><Message>…</Message></Error>
 *         <RequestId>…</RequestId></ErrorResponse>
 */
#include "sim/kms/sts_dispatch.h"

#include <strings.h>

#include "base/log.h"
#include "sim/kms/kms_auth.h"
#include "sim/kms/sts_operations.h"

#define VERSION   "2011-06-15"
#define NAMESPACE "https://sts.amazonaws.com/doc/" VERSION "/"
#define FORM      "application/x-www-form-urlencoded"

static const struct operation {
    const char *name;
    bool is_signed;
    bool (*run)(struct sts_call *call);
} operations[] = {
    {"AssumeRole", true, sts_serve_assume_role},
    {"AssumeRoleWithWebIdentity", false, sts_serve_web_identity},
    {"GetCallerIdentity", true, sts_serve_identity},
};

/* Codes that STS has another name for than KMS, and the status of each that is not 400. */
static const struct {
    const char *kms, *sts;
    unsigned status;
} codes[] = {
    {"MissingAuthenticationTokenException", "MissingAuthenticationToken", 403},
    {"IncompleteSignatureException", "IncompleteSignature", 400},
    {"InvalidSignatureException", "SignatureDoesNotMatch", 403},
    {"UnrecognizedClientException", "InvalidClientTokenId", 403},
    {"KMSInternalException", "InternalFailure", 500},
    {"AccessDenied", "AccessDenied", 403},
    {"InternalFailure", "InternalFailure", 500},
    {"ServiceUnavailable", "ServiceUnavailable", 503},
};

bool sts_is_request(const struct kms_request *request)
{
    struct bytes type = kms_request_header(request, "content-type", NULL);
    size_t len = sizeof FORM - 1;
    return kms_request_header(request, "x-amz-target", NULL).at == NULL && type.len >= len &&
           strncasecmp((const char *)type.at, FORM, len) == 0;
}

static const struct operation *find(struct sts_call *call)
{
    struct bytes action = sts_form_value(&call->form, "Action");
    if (bytes_equal_text(sts_form_value(&call->form, "Version"), VERSION))
        for (size_t i = 0; i < ARRAY_LEN(operations); i++)
            if (bytes_equal_text(action, operations[i].name))
                return &operations[i];
    kms_fail(&call->failure, "InvalidAction", "Could not find operation %.*s for version " VERSION,
             action.len < 64 ? (int)action.len : 64, action.len > 0 ? (const char *)action.at : "");
    return NULL;
}

/* Faults that take the place of the operation. */
static bool fails_instead(struct sts_call *call)
{
    struct kms_failure *failure = &call->failure;
    switch (call->fault) {
    case KMS_FAULT_400:
        return !kms_fail(failure, "ValidationError", "This request is not valid");
    case KMS_FAULT_403:
        return !kms_fail(failure, "AccessDenied", "This request is not allowed");
    case KMS_FAULT_500:
        return !kms_fail_type(failure, "InternalFailure");
    case KMS_FAULT_503:
        return !kms_fail(failure, "ServiceUnavailable", "Service is unavailable");
    case KMS_FAULT_THROTTLE:
        return !kms_fail(failure, "Throttling", "Rate exceeded");
    default:
        return false;
    }
}

/* An expired session is named ExpiredToken; an expired web identity keeps its exception. */
static bool authenticate(struct sts_call *call)
{
    if (kms_authenticate(call->service, "sts", call->request, &call->caller, &call->failure))
        return true;
    if (strcmp(call->failure.type, "ExpiredTokenException") == 0)
        call->failure.type = "ExpiredToken";
    return false;
}

static bool serve(struct sts_call *call)
{
    if (!sts_form_read(&call->form, call->request->body, &call->failure))
        return false;
    const struct operation *operation = find(call);
    if (operation == NULL)
        return false;
    call->action = operation->name;
    call->fault = kms_faults_take(call->service->faults, operation->name);
    if (fails_instead(call))
        return false;
    kms_credentials_refresh(call->service->store, &call->service->credentials);
    return (!operation->is_signed || authenticate(call)) && operation->run(call);
}

/* The code and the status of a failure. */
static unsigned settle(struct kms_failure *failure)
{
    unsigned status = strcmp(failure->type, "ExpiredToken") == 0 ? 403 : 400;
    for (size_t i = 0; i < ARRAY_LEN(codes); i++) {
        if (strcmp(failure->type, codes[i].kms) != 0)
            continue;
        failure->type = codes[i].sts;
        status = codes[i].status;
        break;
    }
    return status;
}

/* The message has only what we write and names that were checked, but for RoleArn. */
static void put_message(struct buffer *body, const char *message)
{
    for (; *message != '\0'; message++) {
        bool plain = *message >= ' ' && *message < 0x7f && strchr("<>&", *message) == NULL;
        buffer_byte(body, plain ? (uint8_t)*message : '?');
    }
}

static void write_failure(const struct sts_call *call, struct buffer *body, unsigned status)
{
    buffer_reset(body);
    buffer_printf(body,
                  "<ErrorResponse xmlns=\"" NAMESPACE "\"><Error><Type>%s</Type><Code>%s</Code>"
                  "<Message>",
                  status < 500 ? "Sender" : "Receiver", call->failure.type);
    put_message(body, call->failure.message);
    buffer_printf(body, "</Message></Error><RequestId>%s</RequestId></ErrorResponse>",
                  call->request->id);
}

static void log_result(const struct sts_call *call, bool ok, unsigned status)
{
    const char *principal = call->caller.arn[0] != '\0' ? call->caller.arn : "unauthenticated";
    struct bytes role = sts_form_value(&call->form, "RoleArn");
    int len = role.len < KMS_ARN_SIZE ? (int)role.len : KMS_ARN_SIZE;
    bool injected = call->fault != KMS_FAULT_NONE;
    if (ok)
        log_info("request %s: %s by %s role %.*s: ok%s%s", call->request->id, call->action,
                 principal, len, len > 0 ? (const char *)role.at : "",
                 injected ? ", fault injected: " : "", injected ? kms_fault_name(call->fault) : "");
    else
        log_warning("request %s: %s by %s role %.*s: %u %s: %s", call->request->id, call->action,
                    principal, len, len > 0 ? (const char *)role.at : "", status,
                    call->failure.type, call->failure.message);
}

static void finish(struct sts_call *call, struct kms_answer *answer, bool ok)
{
    buffer_printf(&answer->body,
                  "</%sResult><ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata>"
                  "</%sResponse>",
                  call->action, call->request->id, call->action);
    if (ok && answer->body.failed)
        ok = kms_fail_type(&call->failure, "InternalFailure");
    answer->status = ok ? 200 : settle(&call->failure);
    if (!ok)
        write_failure(call, &answer->body, answer->status);
    kms_deliver_fault(call->fault, answer);
    if (answer->body.failed)
        answer->delivery = KMS_DELIVER_RESET;
    log_result(call, ok, answer->status);
}

void sts_handle(struct kms_service *service, const struct kms_request *request,
                struct kms_answer *answer)
{
    struct buffer members;
    struct sts_call call = {
        .service = service, .request = request, .action = "none", .out = &members};
    answer->content_type = "text/xml";
    buffer_init_secret(&answer->body, KMS_ANSWER_MAX);
    buffer_init_secret(&members, KMS_ANSWER_MAX);
    sts_form_init(&call.form);

    pthread_mutex_lock(&service->lock);
    bool ok = serve(&call);
    buffer_printf(&answer->body, "<%sResponse xmlns=\"" NAMESPACE "\"><%sResult>", call.action,
                  call.action);
    buffer_append(&answer->body, buffer_bytes(&members));
    finish(&call, answer, ok && !members.failed);
    pthread_mutex_unlock(&service->lock);

    sts_form_clear(&call.form);
    buffer_clear(&members);
}
