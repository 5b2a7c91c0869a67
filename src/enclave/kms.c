/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/kms.h"

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/secret.h"
#include "enclave/kms_message.h"
#include "net/deadline.h"

#define READ_CHUNK 4096u

static bool wait_for(void *context, int fd, short events, struct error *err)
{
    return deadline_wait(context, fd, events, err);
}

/* Gives a failure on the way to KMS the code and cause that show an operator where to look. */
static bool lost(const struct kms_call *call, const struct error *why, enum error_code code,
                 const char *what, struct error *err)
{
    if (why->code != ERROR_CLOSED && why->code != ERROR_NETWORK && why->code != ERROR_DEADLINE)
        return error_set(err, why->code, "%s", why->cause);
    if (why->code == ERROR_DEADLINE && code != ERROR_RELAY)
        code = ERROR_DEADLINE;
    return error_set(err, code, "%s (relay %s, endpoint %s): %.200s", what,
                     call->config->relay.text, call->config->host, why->cause);
}

/* Until an answer is whole, malformed, or the connection ends. */
static bool receive(struct kms_call *call, struct tls *tls, struct buffer *answer,
                    struct http_response *response, struct error *err)
{
    for (;;) {
        size_t got = 0;
        struct error why = {0};
        uint8_t *room = buffer_reserve(answer, READ_CHUNK);
        if (room == NULL)
            return error_set(err, ERROR_MEMORY, "no memory for the answer of KMS");
        if (!tls_read(tls, room, READ_CHUNK, &got, &why))
            return lost(call, &why, ERROR_KMS_UNAVAILABLE, "the answer of KMS is incomplete", err);
        if (got == 0)
            return error_set(err, ERROR_KMS_UNAVAILABLE,
                             "KMS closed the connection before its answer was complete");
        buffer_commit(answer, got);
        enum http_progress progress =
            http_response_parse(response, buffer_bytes(answer), KMS_BODY_MAX, err);
        if (progress != HTTP_INCOMPLETE)
            return progress == HTTP_COMPLETE;
    }
}

static bool exchange_over(struct kms_call *call, int fd, struct bytes head, struct bytes body,
                          struct buffer *answer, struct http_response *response, struct error *err)
{
    struct error why = {0};
    struct tls *tls =
        tls_connect(fd, call->roots, call->config->host, wait_for, &call->deadline, &why);
    if (tls == NULL) {
        enum error_code code = why.code == ERROR_DEADLINE ? ERROR_DEADLINE : ERROR_RELAY;
        return lost(call, &why, code, "the relay answers, but there is no TLS server behind it",
                    err);
    }
    bool ok = tls_write(tls, head, &why) && tls_write(tls, body, &why);
    if (!ok)
        lost(call, &why, ERROR_KMS_UNAVAILABLE, "the request did not reach KMS", err);
    ok = ok && receive(call, tls, answer, response, err);
    tls_free(tls);
    return ok;
}

static bool exchange(struct kms_call *call, struct bytes head, struct bytes body,
                     struct buffer *answer, struct http_response *response, struct error *err)
{
    int fd = -1;
    struct error why = {0};
    if (!address_connect(&call->config->relay, &call->deadline, &fd, &why))
        return lost(call, &why, ERROR_RELAY,
                    "the relay cannot be reached: is enclavectl relay running on the host?", err);
    bool ok = exchange_over(call, fd, head, body, answer, response, err);
    close(fd);
    return ok;
}

static bool is_stopped(int stop_fd)
{
    struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
    return poll(&stop, 1, 0) > 0;
}

/* The document binds the recipient's key to this image: KMS encrypts to no other. */
static bool attest(const struct kms_call *call, struct buffer *document, struct error *err)
{
    struct nsm_claims claims = {.public_key = recipient_spki(call->recipient)};
    if (is_stopped(call->stop_fd))
        return error_set(err, ERROR_SHUTTING_DOWN, "stopped before the NSM was asked");
    return nsm_attest(call->nsm, &claims, document, err);
}

static bool open_envelope(const struct kms_call *call, struct bytes envelope,
                          uint8_t tsk[AEAD_KEY_SIZE], struct error *err)
{
    BUFFER_AUTO secret;
    buffer_init_secret(&secret, RECIPIENT_SECRET_MAX);
    if (!recipient_open(call->recipient, envelope, &secret, err))
        return false;
    if (secret.len != AEAD_KEY_SIZE)
        return error_set(err, ERROR_TSK_LENGTH,
                         "the unwrapped TSK has %zu bytes, not %d: wrap a data key of AES_256",
                         secret.len, AEAD_KEY_SIZE);
    memcpy(tsk, secret.at, AEAD_KEY_SIZE);
    return true;
}

bool kms_unwrap_tsk(struct kms_call *call, uint8_t tsk[AEAD_KEY_SIZE], struct kms_refusal *refusal,
                    struct error *err)
{
    BUFFER_AUTO document;
    BUFFER_AUTO body;
    BUFFER_AUTO head;
    BUFFER_AUTO answer;
    BUFFER_AUTO envelope;
    buffer_init(&document, KMS_DOCUMENT_MAX);
    buffer_init(&body, KMS_REQUEST_MAX);
    buffer_init_secret(&head, HTTP_HEAD_MAX);
    buffer_init_secret(&answer, HTTP_HEAD_MAX + KMS_BODY_MAX + READ_CHUNK);
    buffer_init(&envelope, RECIPIENT_ENVELOPE_MAX);
    struct http_response response;
    wipe(tsk, AEAD_KEY_SIZE);
    *refusal = (struct kms_refusal){0};
    call->deadline = deadline_in(call->config->attempt_ms);
    call->deadline.stop_fd = call->stop_fd;
    return attest(call, &document, err) &&
           kms_request_build(&head, &body, call, buffer_bytes(&document), clock_wall_us(), err) &&
           exchange(call, buffer_bytes(&head), buffer_bytes(&body), &answer, &response, err) &&
           kms_response_read(call->config, &response, &envelope, refusal, err) &&
           open_envelope(call, buffer_bytes(&envelope), tsk, err);
}
