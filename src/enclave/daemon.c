/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up, in the order in which one thing may rely on the next; each step fails closed. */
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "enclave/hardening.h"
#include "enclave/platform.h"
#include "enclave/request.h"
#include "enclave/room.h"
#include "enclave/server.h"
#include "enclave/session.h"

/* Connections that wait to be accepted: as many as are served at once, within these bounds. */
#define BACKLOG_MIN 128
#define BACKLOG_MAX 1024

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* anything not below */
    EXIT_CONFIG = 3, /* configuration, roots or environment not valid */
    EXIT_NSM = 4,    /* no NSM, or seeding failed */
    EXIT_LISTEN = 5, /* the address cannot be listened on */
};

/* Everything that lives as long as the service. */
struct daemon {
    const struct platform *platform;
    const struct start_options *options;
    struct config config;
    struct tls_roots *roots;
    struct nsm nsm;
    struct keyring *ring;
    struct job_queue done;
    struct server_ports ports;
    struct service service;
    struct initial_secrets *secrets; /* secret memory */
};

static bool start_crypto(struct daemon *d, struct error *err)
{
    (void)d;
    return crypto_start() || error_set(err, ERROR_CRYPTO, "OpenSSL cannot be prepared");
}

static bool harden(struct daemon *d, struct error *err)
{
    if (!harden_process(d->platform->lock_required, err))
        return false;
    if (!crypto_guard(d->platform->lock_required))
        return error_set(err, ERROR_MEMORY, "no locked memory for OpenSSL's keys");
    d->secrets = secret_alloc(sizeof *d->secrets);
    return d->secrets != NULL || error_set(err, ERROR_MEMORY, "no locked memory");
}

static bool load_configuration(struct daemon *d, struct error *err)
{
    return config_load(&d->config, d->options->config, d->platform->parse_address, err) &&
           (d->options->listen == NULL ||
            d->platform->parse_address(&d->config.listen, d->options->listen, err));
}

/* After seeding: OpenSSL draws the first random numbers here. */
static bool load_roots(struct daemon *d, struct error *err)
{
    BUFFER_AUTO pem;
    buffer_init(&pem, CONFIG_FILE_MAX);
    if (!config_read_file(d->options->roots != NULL ? d->options->roots : d->config.roots_file,
                          &pem, err))
        return false;
    d->roots = tls_roots_new(buffer_bytes(&pem), err);
    return d->roots != NULL;
}

/* Reads the file that is part of the image. No other wrapped TSK will do, unless pins are given. */
static bool take_file(struct daemon *d, struct buffer *wrapped, struct error *err)
{
    const char *path = d->config.wrapped_tsk_file;
    struct wrapped_pins *pins = &d->config.wrapped_pins;
    BUFFER_AUTO file;
    buffer_init(&file, KMS_WRAPPED_TEXT_MAX);
    if (!config_read_file(path, &file, err))
        return false;
    if (!kms_decode_wrapped(wrapped, buffer_bytes(&file)))
        return error_set(err, ERROR_CONFIG, "%s: %s", path, KMS_WRAPPED_FORM);
    if (wrapped->len == 0) /* it would pin nothing */
        return error_set(err, ERROR_CONFIG, "%s is empty: give a wrapped TSK, or do not name it",
                         path);
    if (pins->given)
        return true;
    pins->count = 1;
    return sha256(pins->sha256[0], buffer_bytes(wrapped)) ||
           error_set(err, ERROR_CRYPTO, "%s cannot be hashed", path);
}

/* The environment comes before the file, whose pin holds for both. */
static bool take_secrets(struct daemon *d, struct error *err)
{
    BUFFER_AUTO wrapped = {0};
    if (d->platform->take_secrets != NULL && !d->platform->take_secrets(d->secrets, err))
        return false;
    if (d->config.wrapped_tsk_file[0] != '\0' && !take_file(d, &wrapped, err))
        return false;
    if (d->secrets->wrapped.len == 0) {
        struct buffer none = d->secrets->wrapped;
        d->secrets->wrapped = wrapped;
        wrapped = none;
    }
    return true;
}

static bool open_module(struct daemon *d, struct error *err)
{
    if (!d->platform->open_nsm(&d->nsm, d->options->nsm, err) ||
        !entropy_seed(&d->nsm, d->platform->credit, err))
        return false;
    log_info("the NSM answers; entropy seeded");
    return true;
}

static int backlog(void)
{
    int64_t most = room_connections(room_memory());
    return most < BACKLOG_MIN ? BACKLOG_MIN : most < BACKLOG_MAX ? (int)most : BACKLOG_MAX;
}

/* Signals arrive at the server only, as bytes on a descriptor; threads inherit the mask. */
static bool open_ports(struct daemon *d, struct error *err)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    d->ports.signal_fd = pthread_sigmask(SIG_BLOCK, &signals, NULL) == 0
                             ? signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK)
                             : -1;
    d->ports.done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->ports.signal_fd < 0 || d->ports.done_fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "cannot make event descriptors");
    job_queue_init(&d->done, d->ports.done_fd);
    d->ports.done = &d->done;
    d->ports.peer_cid = d->platform->peer_cid;
    return address_listen(&d->config.listen, backlog(), &d->ports.listener, err);
}

static bool start_service(struct daemon *d, struct error *err)
{
    if (d->platform->listening != NULL &&
        !d->platform->listening(&d->config.listen, d->ports.listener, err))
        return false;
    d->service.config = &d->config;
    d->service.started_ms = clock_monotonic_ms();
    d->ring = keyring_new(d->config.previous_key_ms);
    d->service.ring = d->ring;
    if (d->ring == NULL)
        return error_set(err, ERROR_MEMORY, "no memory for the keyring");
    d->service.session =
        session_start(&d->config, d->roots, d->ring, &d->nsm, d->secrets, &d->done, err);
    return d->service.session != NULL;
}

static bool serve(struct daemon *d, struct error *err)
{
    log_info("listening on %s", d->config.listen.text);
    printf("ready %s\n", d->config.listen.text);
    fflush(stdout);
    if (!server_run(&d->service, &d->ports, err))
        return false;
    log_info("stopped");
    return true;
}

static bool print_configuration(struct daemon *d, struct error *err)
{
    (void)err;
    printf("%s: valid; key %s at %s through %s\n", d->options->config, d->config.key_arn,
           d->config.host, d->config.relay.text);
    return true;
}

static void release(struct daemon *d)
{
    /* Only our own: if listening failed, the file may be another service's. */
    if (d->platform->stopped != NULL && d->ports.listener >= 0)
        d->platform->stopped(&d->config.listen);
    keyring_free(d->ring);
    nsm_close(&d->nsm);
    tls_roots_free(d->roots);
    if (d->secrets != NULL)
        buffer_clear(&d->secrets->wrapped);
    secret_free(d->secrets, sizeof *d->secrets);
    config_clear(&d->config);
}

int enclaved_run(const struct platform *platform, const struct start_options *options)
{
    static const struct {
        bool (*step)(struct daemon *d, struct error *err);
        enum exit_code code;   /* if it fails */
        bool when_checks_only; /* whether --check-config takes this step */
        bool when_serving;
    } steps[] = {
        {start_crypto, EXIT_FAILED, true, true},
        {harden, EXIT_FAILED, false, true},
        {load_configuration, EXIT_CONFIG, true, true},
        {take_secrets, EXIT_CONFIG, false, true},
        {open_module, EXIT_NSM, false, true},
        {load_roots, EXIT_CONFIG, true, true},
        {print_configuration, EXIT_FAILED, true, false},
        {open_ports, EXIT_LISTEN, false, true},
        {start_service, EXIT_FAILED, false, true},
        {serve, EXIT_FAILED, false, true},
    };
    struct daemon d = {.platform = platform, .options = options, .ports = {.listener = -1}};
    enum exit_code code = EXIT_OK;
    log_start(platform->program, options->verbose ? LOG_DEBUG : LOG_INFO);
    for (size_t i = 0; i < ARRAY_LEN(steps) && code == EXIT_OK; i++) {
        struct error err = {0};
        bool taken = options->check_only ? steps[i].when_checks_only : steps[i].when_serving;
        if (!taken || steps[i].step(&d, &err))
            continue;
        log_error("%s: %s", error_name(err.code), err.cause);
        code = steps[i].code;
    }
    release(&d);
    return (int)code;
}
