/* SPDX-License-Identifier: Apache-2.0 */
#include "enclave/session.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/secret.h"
#include "codec/json_writer.h"
#include "crypto/hash.h"
#include "crypto/recipient.h"
#include "enclave/answer.h"
#include "enclave/configure_request.h"
#include "net/frame.h"

struct session {
    /* set before the thread starts, read by both */
    const struct config *config;
    struct keyring *ring;
    struct nsm *nsm;
    struct job_queue requests;
    struct job_queue *done;
    int stop_fd;
    pthread_t thread;

    /* the thread's own */
    const struct tls_roots *roots;
    struct recipient *recipient;
    struct initial_secrets secrets;   /* what is in force */
    struct initial_secrets candidate; /* what a configure under way would put in its place */
    uint8_t tsk[AEAD_KEY_SIZE];

    pthread_mutex_t lock; /* guards status */
    struct session_status status;
};

const char *session_state_name(enum session_state state)
{
    static const char *const names[] = {
        [SESSION_STARTING] = "starting",
        [SESSION_AWAITING] = "awaiting_configuration",
        [SESSION_READY] = "ready",
    };
    return names[state];
}

void session_get_status(struct session *session, struct session_status *out)
{
    pthread_mutex_lock(&session->lock);
    *out = session->status;
    pthread_mutex_unlock(&session->lock);
}

/* Under the lock: what health says of the credentials. */
static void note_credentials(struct session *s)
{
    const struct kms_credentials *c = &s->secrets.credentials;
    s->status.has_credentials = c->access_key_id[0] != '\0';
    memcpy(s->status.credentials_expire, c->expiration, sizeof c->expiration);
}

/* What became of an attempt, for health and the log. A key once held stays held. */
static void note_outcome(struct session *s, bool ok, const struct error *err,
                         const struct kms_refusal *refusal)
{
    pthread_mutex_lock(&s->lock);
    const char *then = s->status.state == SESSION_READY ? "not configured; the key in force stays"
                                                        : "no session key";
    if (ok)
        s->status.state = SESSION_READY;
    else if (s->status.state == SESSION_STARTING)
        s->status.state = SESSION_AWAITING;
    s->status.last_error = ok ? (struct error){0} : *err;
    s->status.refusal = ok ? (struct kms_refusal){0} : *refusal;
    note_credentials(s);
    pthread_mutex_unlock(&s->lock);
    if (!ok && refusal->http_status != 0)
        log_error("%s: %s: %s; KMS answered HTTP %u %s: %s", then, error_name(err->code),
                  err->cause, refusal->http_status, refusal->type, refusal->message);
    else if (!ok)
        log_error("%s: %s: %s", then, error_name(err->code), err->cause);
}

/* Asks KMS for the TSK in wrapped and puts it in force. */
static bool obtain_key(struct session *s, const struct kms_credentials *credentials,
                       struct bytes wrapped, bool *rotated, struct kms_refusal *refusal,
                       struct error *err)
{
    if (credentials->access_key_id[0] == '\0')
        return error_set(err, ERROR_NO_CREDENTIALS, "send AWS credentials with configure");
    if (wrapped.len == 0)
        return error_set(err, ERROR_NO_WRAPPED_TSK,
                         "give the wrapped TSK with configure, ENCRYPTED_TSK or "
                         "kms.wrapped_tsk_file");
    uint8_t digest[SHA256_SIZE];
    if (!sha256(digest, wrapped) || !config_pins_allow(&s->config->wrapped_pins, digest))
        return error_set(err, ERROR_TSK_NOT_PINNED,
                         "its SHA-256 is not in kms.wrapped_tsk_sha256, nor is it "
                         "kms.wrapped_tsk_file's");
    if (s->recipient == NULL)
        s->recipient = recipient_new(err); /* tried again should it have failed at start */
    if (s->recipient == NULL)
        return false;
    struct kms_call call = {.config = s->config,
                            .roots = s->roots,
                            .credentials = credentials,
                            .wrapped = wrapped,
                            .recipient = s->recipient,
                            .nsm = s->nsm,
                            .stop_fd = s->stop_fd};
    bool ok = kms_unwrap_tsk(&call, s->tsk, refusal, err) &&
              keyring_install(s->ring, s->tsk, rotated, err);
    wipe(s->tsk, sizeof s->tsk);
    return ok;
}

/*
 * All or nothing: what configure brought is kept only if KMS gives the key for it. That holds for
 * credentials alone, too: otherwise any client could put rubbish in the place of good ones.
 */
static bool apply(struct session *s, bool *rotated, struct kms_refusal *refusal, struct error *err)
{
    struct initial_secrets *c = &s->candidate;
    bool renews = c->credentials.access_key_id[0] != '\0', wraps = c->wrapped.len > 0;
    if (!obtain_key(s, renews ? &c->credentials : &s->secrets.credentials,
                    buffer_bytes(wraps ? &c->wrapped : &s->secrets.wrapped), rotated, refusal, err))
        return false;
    if (renews)
        s->secrets.credentials = c->credentials;
    if (wraps) {
        struct buffer old = s->secrets.wrapped;
        s->secrets.wrapped = c->wrapped;
        c->wrapped = old;
    }
    log_info("configured: session key from KMS%s", *rotated ? ", rotated" : "");
    return true;
}

static void answer_configured(struct session *s, struct buffer *out, bool rotated)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "status", "success");
    json_text(&w, "state", session_state_name(SESSION_READY));
    json_text(&w, "key_id", s->config->key_arn);
    json_boolean(&w, "rotated", rotated);
    json_end(&w);
}

static void serve_configure(struct session *s, struct job *job)
{
    struct error err = {0};
    struct kms_refusal refusal = {0};
    bool rotated = false;
    job->document.text = bytes_from(buffer_bytes(&job->request), FRAME_HEADER_SIZE);
    bool ok = configure_read(&s->candidate, &job->document, &err);
    /* A request that cannot be read says nothing about the session: it is not an outcome. */
    if (ok) {
        ok = apply(s, &rotated, &refusal, &err);
        note_outcome(s, ok, &err, &refusal);
    } else {
        log_warning("configure refused: %s: %s", error_name(err.code), err.cause);
    }
    buffer_clear(&s->candidate.wrapped);
    wipe(&s->candidate, sizeof s->candidate);

    size_t frame = answer_begin(&job->answer);
    if (ok)
        answer_configured(s, &job->answer, rotated);
    else
        answer_put_failure(&job->answer, &err, &refusal);
    job->failed = !answer_end(&job->answer, frame, s->config->limits.frame_bytes) || !ok;
    job_put(s->done, job);
}

const uint8_t session_pcr_index[SESSION_PCRS] = {0, 1, 2, 3, 4, 8};

bool measurements_are_debug(const struct measurements *measurements)
{
    static const uint8_t zero[3][NSM_PCR_SIZE];
    return measurements->known && memcmp(measurements->pcr, zero, sizeof zero) == 0;
}

/* For health and the log; a module that fails here also fails where it matters. */
static void measure(struct session *s)
{
    struct measurements m = {.known = true};
    struct error err = {0};
    for (size_t i = 0; i < SESSION_PCRS && m.known; i++)
        m.known = nsm_read_pcr(s->nsm, session_pcr_index[i], m.pcr[i], &err);
    char pcr0[2 * NSM_PCR_SIZE];
    hex_encode(pcr0, bytes_of(m.pcr[0], NSM_PCR_SIZE));
    if (!m.known)
        log_warning("cannot read the measurements: %s", err.cause);
    else if (measurements_are_debug(&m))
        log_warning("PCR0, PCR1 and PCR2 are zero: this enclave runs in debug mode, and no key "
                    "policy should admit it");
    else
        log_info("PCR0 %.*s", (int)sizeof pcr0, pcr0);
    pthread_mutex_lock(&s->lock);
    s->status.measurements = m;
    pthread_mutex_unlock(&s->lock);
}

/* With what the environment and files gave, the key is asked for without waiting for configure. */
static void first_attempt(struct session *s)
{
    struct error err = {0};
    struct kms_refusal refusal = {0};
    bool rotated = false;
    s->recipient = recipient_new(&err);
    bool ok = s->recipient != NULL;
    if (ok) {
        log_debug("made this boot's RSA key");
        ok = obtain_key(s, &s->secrets.credentials, buffer_bytes(&s->secrets.wrapped), &rotated,
                        &refusal, &err);
    }
    if (!ok && (err.code == ERROR_NO_CREDENTIALS || err.code == ERROR_NO_WRAPPED_TSK)) {
        log_info("awaiting configuration");
        pthread_mutex_lock(&s->lock);
        s->status.state = SESSION_AWAITING;
        pthread_mutex_unlock(&s->lock);
        return;
    }
    note_outcome(s, ok, &err, &refusal);
    if (ok)
        log_info("session key from KMS");
}

static void *run(void *context)
{
    struct session *s = context;
    first_attempt(s);
    struct job *job;
    while ((job = job_take(&s->requests)) != NULL)
        serve_configure(s, job);
    return NULL;
}

static void session_free(struct session *s)
{
    job_queue_clear(&s->requests);
    pthread_mutex_destroy(&s->lock);
    recipient_free(s->recipient);
    buffer_clear(&s->secrets.wrapped);
    if (s->stop_fd >= 0)
        close(s->stop_fd);
    secret_free(s, sizeof *s);
}

struct session *session_start(const struct config *config, const struct tls_roots *roots,
                              struct keyring *ring, struct nsm *nsm,
                              struct initial_secrets *secrets, struct job_queue *done,
                              struct error *err)
{
    struct session *s = secret_alloc(sizeof *s);
    if (s == NULL) {
        error_set(err, ERROR_MEMORY, "no locked memory for the session");
        return NULL;
    }
    s->config = config;
    s->roots = roots;
    s->ring = ring;
    s->nsm = nsm;
    s->done = done;
    pthread_mutex_init(&s->lock, NULL);
    job_queue_init(&s->requests, -1);
    s->secrets = *secrets;
    wipe(secrets, sizeof *secrets);
    note_credentials(s);
    measure(s); /* before anybody can ask for them */
    s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (s->stop_fd >= 0) {
        errno = pthread_create(&s->thread, NULL, run, s);
        if (errno == 0)
            return s;
    }
    error_set_errno(err, ERROR_SYSTEM, "cannot start the session thread");
    session_free(s);
    return NULL;
}

void session_configure(struct session *session, struct job *job)
{
    if (job_queue_waiting(&session->requests) >= SESSION_WAITING_MAX) {
        answer_error(&job->answer, ERROR_BUSY);
        job->failed = true;
        job_put(session->done, job);
        return;
    }
    job_put(&session->requests, job);
}

void session_stop(struct session *session)
{
    const uint64_t one = 1;
    ssize_t n = write(session->stop_fd, &one, sizeof one);
    (void)n;
    job_queue_close(&session->requests);
    pthread_join(session->thread, NULL);
    session_free(session);
}
