/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/kms.h"

#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "enclave/kms_message.h"
#include "net/deadline.h"

/* Pauses between attempts: random between nothing and a bound that doubles ("full jitter"). */
#define PAUSE_FIRST_MS 100
#define PAUSE_MOST_MS  5000

#define READ_CHUNK 4096u

/* Everything that one call works on. */
struct unwrapping {
    const struct kms_target *target;
    const struct kms_credentials *credentials;
    struct bytes wrapped;
    const struct recipient *recipient;
    struct nsm *nsm;
    uint8_t *tsk;
    struct kms_refusal *refusal;
    struct deadline deadline; /* of the attempt being made */
    bool retry;               /* whether another attempt may succeed */
};

static bool wait_for(void *context, int fd, short events, struct error *err)
{
    return deadline_wait(context, fd, events, err);
}

/*
 * Gives a failure on the way to KMS the code and cause that tell an operator where to look, and
 * decides whether it may pass.
 */
static bool lost(struct unwrapping *u, const struct error *why, enum error_code code,
                 const char *what, struct error *err)
{
    bool passing =
        why->code == ERROR_CLOSED || why->code == ERROR_NETWORK || why->code == ERROR_DEADLINE;
    u->retry = passing;
    if (!passing)
        return error_set(err, why->code, "%s", why->cause);
    if (why->code == ERROR_DEADLINE && code != ERROR_RELAY)
        code = ERROR_DEADLINE;
    return error_set(err, code, "%s (relay %s, endpoint %s): %.200s", what, u->target->relay.text,
                     u->target->host, why->cause);
}

/* Until an answer is whole, malformed, or the connection ends. */
static bool receive(struct unwrapping *u, struct tls *tls, struct buffer *answer,
                    struct http_response *response, struct error *err)
{
    for (;;) {
        size_t got = 0;
        struct error why = {0};
        uint8_t *room = buffer_reserve(answer, READ_CHUNK);
        if (room == NULL)
            return error_set(err, ERROR_MEMORY, "no room for the answer of KMS");
        if (!tls_read(tls, room, READ_CHUNK, &got, &why))
            return lost(u, &why, ERROR_KMS_UNAVAILABLE, "no whole answer from KMS", err);
        if (got == 0) {
            u->retry = true;
            return error_set(err, ERROR_KMS_UNAVAILABLE,
                             "KMS closed the connection before its answer was whole");
        }
        buffer_commit(answer, got);
        enum http_progress progress =
            http_response_parse(response, buffer_bytes(answer), KMS_BODY_MAX, err);
        if (progress != HTTP_INCOMPLETE)
            return progress == HTTP_COMPLETE;
    }
}

static bool exchange_over(struct unwrapping *u, int fd, struct bytes head, struct bytes body,
                          struct buffer *answer, struct http_response *response, struct error *err)
{
    struct error why = {0};
    struct tls *tls =
        tls_connect(fd, u->target->roots, u->target->host, wait_for, &u->deadline, &why);
    if (tls == NULL) {
        enum error_code code = why.code == ERROR_DEADLINE ? ERROR_DEADLINE : ERROR_RELAY;
        return lost(u, &why, code, "the relay answers, but no TLS server behind it", err);
    }
    bool ok = tls_write(tls, head, &why) && tls_write(tls, body, &why);
    if (!ok)
        lost(u, &why, ERROR_KMS_UNAVAILABLE, "the request did not reach KMS", err);
    ok = ok && receive(u, tls, answer, response, err);
    tls_free(tls);
    return ok;
}

static bool exchange(struct unwrapping *u, struct bytes head, struct bytes body,
                     struct buffer *answer, struct http_response *response, struct error *err)
{
    int fd = -1;
    struct error why = {0};
    if (!address_connect(&u->target->relay, &u->deadline, &fd, &why))
        return lost(u, &why, ERROR_RELAY,
                    "the relay cannot be reached: is enclavectl relay running on the host?", err);
    bool ok = exchange_over(u, fd, head, body, answer, response, err);
    close(fd);
    return ok;
}

/* The document binds the recipient's key to this image: KMS encrypts to no other. */
static bool attest(struct unwrapping *u, struct buffer *document, struct error *err)
{
    struct nsm_claims claims = {.public_key = recipient_spki(u->recipient)};
    if (!nsm_attest(u->nsm, &claims, document, err))
        return false;
    return document->failed ? error_set(err, ERROR_NSM, "the attestation document is too long")
                            : true;
}

static bool open_envelope(struct unwrapping *u, struct bytes envelope, struct error *err)
{
    BUFFER_AUTO secret;
    buffer_init_secret(&secret, RECIPIENT_SECRET_MAX);
    if (!recipient_open(u->recipient, envelope, &secret, err))
        return false;
    if (secret.len != AEAD_KEY_SIZE)
        return error_set(err, ERROR_TSK_LENGTH,
                         "the unwrapped TSK has %zu bytes, not %d: wrap a data key of AES_256",
                         secret.len, AEAD_KEY_SIZE);
    memcpy(u->tsk, secret.at, AEAD_KEY_SIZE);
    return true;
}

static bool attempt(struct unwrapping *u, struct error *err)
{
    u->retry = false;
    *u->refusal = (struct kms_refusal){0};
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
    return attest(u, &document, err) &&
           kms_request_build(&head, &body, u->target, u->credentials, u->wrapped,
                             buffer_bytes(&document), clock_wall_us(), err) &&
           exchange(u, buffer_bytes(&head), buffer_bytes(&body), &answer, &response, err) &&
           kms_response_read(u->target, &response, &envelope, u->refusal, &u->retry, err) &&
           open_envelope(u, buffer_bytes(&envelope), err);
}

static int64_t pause_ms(unsigned attempts)
{
    int64_t most = PAUSE_FIRST_MS;
    for (unsigned i = 1; i < attempts && most < PAUSE_MOST_MS; i++)
        most *= 2;
    if (most > PAUSE_MOST_MS)
        most = PAUSE_MOST_MS;
    uint8_t random[4];
    if (!random_bytes(random, sizeof random))
        return most;
    return (int64_t)(be32_load(random) % (uint32_t)(most + 1));
}

/* The end of the attempt that begins now: its own bound, or that of all. */
static struct deadline attempt_deadline(const struct kms_target *target,
                                        const struct deadline *whole)
{
    struct deadline d = deadline_in(target->attempt_ms);
    if (d.at_ms > whole->at_ms)
        d.at_ms = whole->at_ms;
    d.stop_fd = whole->stop_fd;
    return d;
}

/* The last failure that says more than that time ran out. */
struct telling {
    struct error err;
    struct kms_refusal refusal;
};

/* Waits before the next attempt; false when there is to be none. */
static bool pause_before(const struct deadline *whole, unsigned attempts, struct error *err)
{
    int64_t pause = pause_ms(attempts);
    bool more = whole->at_ms - clock_monotonic_ms() > pause;
    log_warning("KMS, attempt %u: %s: %s; %s", attempts, error_text(err->code), err->cause,
                more ? "trying again" : "giving up: out of time");
    struct error ended = {0};
    if (more && deadline_sleep(whole, pause, &ended))
        return true;
    if (ended.code == ERROR_SHUTTING_DOWN)
        *err = ended;
    return false;
}

/* Attempts and pauses until one decides; when time runs out, the most telling failure stands. */
static bool attempts(struct unwrapping *u, const struct deadline *whole, struct error *err)
{
    struct telling last = {0};
    for (unsigned count = 1;; count++) {
        u->deadline = attempt_deadline(u->target, whole);
        if (attempt(u, err))
            return true;
        if (!u->retry)
            return false;
        if (err->code != ERROR_DEADLINE)
            last = (struct telling){*err, *u->refusal};
        if (pause_before(whole, count, err))
            continue;
        if (err->code == ERROR_DEADLINE && last.err.code != ERROR_NONE) {
            *err = last.err;
            *u->refusal = last.refusal;
        }
        return false;
    }
}

bool kms_unwrap_tsk(const struct kms_target *target, const struct kms_credentials *credentials,
                    struct bytes wrapped, const struct recipient *recipient, struct nsm *nsm,
                    int stop_fd, uint8_t tsk[AEAD_KEY_SIZE], struct kms_refusal *refusal,
                    struct error *err)
{
    wipe(tsk, AEAD_KEY_SIZE);
    *refusal = (struct kms_refusal){0};
    if (wrapped.len == 0 || wrapped.len > KMS_WRAPPED_MAX)
        return error_set(err, ERROR_NO_WRAPPED_TSK, "the wrapped TSK has %zu bytes, not 1 to %d",
                         wrapped.len, KMS_WRAPPED_MAX);
    struct unwrapping u = {.target = target,
                           .credentials = credentials,
                           .wrapped = wrapped,
                           .recipient = recipient,
                           .nsm = nsm,
                           .tsk = tsk,
                           .refusal = refusal};
    struct deadline whole = deadline_in(target->total_ms);
    whole.stop_fd = stop_fd;
    struct error own = {0}; /* err may be NULL; the attempts look at it */
    /* Who is to stop asks nobody any more, the module neither. */
    bool ok = deadline_sleep(&whole, 0, &own) && attempts(&u, &whole, &own);
    if (!ok) {
        wipe(tsk, AEAD_KEY_SIZE);
        error_set(err, own.code, "%s", own.cause);
    }
    return ok;
}
