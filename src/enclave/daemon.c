/* SPDX-License-Identifier: Apache-2.0 */
/* Start-up, in the order in which one thing may rely on the next; each step fails closed. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/hash.h"
#include "enclave/config.h"
#include "enclave/hardening.h"
#include "enclave/platform.h"
#include "enclave/server.h"

#define BACKLOG 1024

enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1, /* anything not below */
    EXIT_USAGE = 2,
    EXIT_CONFIG = 3, /* configuration, roots or environment not valid */
    EXIT_NSM = 4,    /* no NSM, or seeding failed */
    EXIT_LISTEN = 5, /* the address cannot be listened on */
};

struct arguments {
    const char *config;
    const char *listen; /* NULL: as configured */
    const char *nsm;    /* NULL: none given */
    bool check_only;
    bool verbose;
};

/* Everything that lives as long as the service. */
struct daemon {
    const struct platform *platform;
    struct arguments arguments;
    struct config config;
    struct tls_roots *roots;
    struct nsm nsm;
    bool has_nsm;
    struct keyring *ring;
    struct job_queue done;
    struct server_ports ports;
    struct service service;
    struct session_material *material; /* secret memory */
};

static void usage(FILE *out, const struct platform *platform)
{
    fprintf(out,
            "usage: %s [--config FILE] [--listen ADDRESS]\n"
            "Serves agents that open, change and seal states under a key that AWS KMS releases to\n"
            "this enclave's measurement.\n\n"
            "  --config FILE      the configuration (default " CONFIG_FILE_DEFAULT ")\n"
            "  --listen ADDRESS   vsock:any:PORT, tcp:HOST:PORT or unix:PATH, instead of the\n"
            "                     configured one (default vsock:any:5000)\n"
            "%s"
            "  --check-config     read and check the configuration, then exit\n"
            "  --verbose          log more\n"
            "  --version          print the version\n"
            "  --help             print this\n\n"
            "Taken from the environment and wiped: ENCRYPTED_TSK (base64), AWS_ACCESS_KEY_ID,\n"
            "AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION.\n\n"
            "examples:\n"
            "  %s --config /etc/enclaved/enclaved.json\n"
            "  %s --config enclaved.json --check-config\n",
            platform->program, platform->nsm_help != NULL ? platform->nsm_help : "",
            platform->program, platform->program);
}

/* Returns -1 to go on, else the exit code. */
static int read_arguments(struct arguments *a, int argc, char **argv,
                          const struct platform *platform)
{
    const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"listen", required_argument, NULL, 'l'},
        {"check-config", no_argument, NULL, 'k'},
        {"verbose", no_argument, NULL, 'v'},
        {"version", no_argument, NULL, 'V'},
        {"help", no_argument, NULL, 'h'},
        {platform->nsm_option, required_argument, NULL, 'n'}, /* a NULL name ends the list */
        {0},
    };
    *a = (struct arguments){.config = CONFIG_FILE_DEFAULT};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            a->config = optarg;
            break;
        case 'l':
            a->listen = optarg;
            break;
        case 'n':
            a->nsm = optarg;
            break;
        case 'k':
            a->check_only = true;
            break;
        case 'v':
            a->verbose = true;
            break;
        case 'V':
            printf("%s %s\n", platform->program, ENCLAVED_VERSION);
            return EXIT_OK;
        case 'h':
            usage(stdout, platform);
            return EXIT_OK;
        default:
            fprintf(stderr, "try %s --help\n", platform->program);
            return EXIT_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    fprintf(stderr, "%s: unexpected argument; try --help\n", platform->program);
    return EXIT_USAGE;
}

static bool load_configuration(struct daemon *d, struct error *err)
{
    BUFFER_AUTO pem;
    buffer_init(&pem, CONFIG_FILE_MAX);
    if (!config_load(&d->config, d->arguments.config, err) ||
        (d->arguments.listen != NULL &&
         !address_parse(&d->config.listen, d->arguments.listen, err)) ||
        !config_read_file(d->config.roots_file, &pem, err))
        return false;
    d->roots = tls_roots_new(buffer_bytes(&pem), err);
    return d->roots != NULL;
}

/* A wrapped TSK in base64, white space at its ends allowed (files end in a newline). */
static bool decode_wrapped(struct buffer *out, struct bytes text, const char *from,
                           struct error *err)
{
    while (text.len > 0 && text.at[text.len - 1] <= ' ')
        text.len--;
    if (text.len == 0)
        return true;
    if (!base64_decode(out, text) || out->len > KMS_WRAPPED_MAX)
        return error_set(err, ERROR_CONFIG, "%s: must be base64 of at most %d bytes", from,
                         KMS_WRAPPED_MAX);
    return true;
}

#define WRAPPED_TEXT_MAX (KMS_WRAPPED_MAX / 3 * 4 + 64)

static bool take_wrapped(struct daemon *d, struct error *err)
{
    struct buffer *wrapped = &d->material->wrapped;
    char text[WRAPPED_TEXT_MAX];
    buffer_init(wrapped, KMS_WRAPPED_MAX + 2);
    if (!environment_take("ENCRYPTED_TSK", text, sizeof text))
        return error_set(err, ERROR_CONFIG, "ENCRYPTED_TSK: longer than a wrapped TSK can be");
    if (!decode_wrapped(wrapped, bytes_text(text), "ENCRYPTED_TSK", err))
        return false;
    if (wrapped->len > 0 || d->config.wrapped_tsk_file[0] == '\0')
        return true;
    BUFFER_AUTO file;
    buffer_init(&file, WRAPPED_TEXT_MAX);
    return config_read_file(d->config.wrapped_tsk_file, &file, err) &&
           decode_wrapped(wrapped, buffer_bytes(&file), d->config.wrapped_tsk_file, err);
}

static bool take_credentials(struct daemon *d, struct error *err)
{
    struct kms_credentials *c = &d->material->credentials;
    char region[CONFIG_REGION_MAX];
    c->expires_us = INT64_MAX;
    if (!environment_take("AWS_ACCESS_KEY_ID", c->access_key_id, sizeof c->access_key_id) ||
        !environment_take("AWS_SECRET_ACCESS_KEY", c->secret_access_key,
                          sizeof c->secret_access_key) ||
        !environment_take("AWS_SESSION_TOKEN", c->session_token, sizeof c->session_token) ||
        !environment_take("AWS_REGION", region, sizeof region))
        return error_set(err, ERROR_CONFIG, "a credential in the environment is too long");
    if ((c->access_key_id[0] == '\0') != (c->secret_access_key[0] == '\0'))
        return error_set(err, ERROR_CONFIG,
                         "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY go together");
    if (region[0] != '\0' && strcmp(region, d->config.region) != 0)
        return error_set(err, ERROR_REGION_MISMATCH,
                         "AWS_REGION is %s, but the pinned KMS key is in %s", region,
                         d->config.region);
    return true;
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
    return address_listen(&d->config.listen, BACKLOG, &d->ports.listener, err);
}

static bool open_module(struct daemon *d, struct error *err)
{
    if (!d->platform->open_nsm(&d->nsm, d->arguments.nsm, err))
        return false;
    d->has_nsm = true;
    if (!entropy_seed(&d->nsm, d->platform->credit, err))
        return false;
    log_info("the NSM answers; entropy seeded");
    return true;
}

static bool start_service(struct daemon *d, struct error *err)
{
    d->service.config = &d->config;
    d->service.started_ms = clock_monotonic_ms();
    d->ring = keyring_new(d->config.previous_key_ms);
    d->service.ring = d->ring;
    if (d->ring == NULL)
        return error_set(err, ERROR_MEMORY, "no memory for the keyring");
    d->service.session =
        session_start(&d->config, d->roots, d->ring, &d->nsm, d->material, &d->done, err);
    return d->service.session != NULL;
}

static void announce(struct daemon *d)
{
    struct address bound;
    struct error ignored;
    const char *text =
        address_of(d->ports.listener, &bound, &ignored) ? bound.text : d->config.listen.text;
    log_info("listening on %s", text);
    printf("ready %s\n", text);
    fflush(stdout);
}

static void release(struct daemon *d)
{
    /* Only our own: where listening failed the file may be another service's. */
    if (d->config.listen.family == ADDRESS_UNIX && d->ports.listener >= 0)
        unlink(d->config.listen.text + strlen("unix:"));
    keyring_free(d->ring);
    if (d->has_nsm)
        nsm_close(&d->nsm);
    tls_roots_free(d->roots);
    if (d->material != NULL)
        buffer_clear(&d->material->wrapped);
    secret_free(d->material, sizeof *d->material);
    config_clear(&d->config);
}

/* Says why on the log and chooses the exit code by the step that failed. */
static int failed(const struct error *err, int code)
{
    log_error("%s: %s", error_name(err->code), err->cause);
    return code;
}

static int run(struct daemon *d)
{
    struct error err = {0};
    if (!crypto_start())
        return failed(&(struct error){ERROR_CRYPTO, "OpenSSL cannot be prepared"}, EXIT_FAILED);
    if (d->arguments.check_only) {
        if (!load_configuration(d, &err))
            return failed(&err, EXIT_CONFIG);
        printf("%s: valid; key %s at %s through %s\n", d->arguments.config, d->config.key_arn,
               d->config.host, d->config.relay.text);
        return EXIT_OK;
    }
    if (!harden_process(d->platform->lock_required, &err))
        return failed(&err, EXIT_FAILED);
    d->material = secret_alloc(sizeof *d->material);
    if (d->material == NULL)
        return failed(&(struct error){ERROR_MEMORY, "no locked memory"}, EXIT_FAILED);
    if (!load_configuration(d, &err) || !take_wrapped(d, &err) || !take_credentials(d, &err))
        return failed(&err, EXIT_CONFIG);
    if (!open_module(d, &err))
        return failed(&err, EXIT_NSM);
    if (!open_ports(d, &err))
        return failed(&err, EXIT_LISTEN);
    if (d->platform->listening != NULL && !d->platform->listening(&err))
        return failed(&err, EXIT_FAILED);
    if (!start_service(d, &err))
        return failed(&err, EXIT_FAILED);
    announce(d);
    if (!server_run(&d->service, &d->ports, &err))
        return failed(&err, EXIT_FAILED);
    log_info("stopped");
    return EXIT_OK;
}

int enclaved_main(int argc, char **argv, const struct platform *platform)
{
    struct daemon d = {.platform = platform, .ports = {.listener = -1}};
    int code = read_arguments(&d.arguments, argc, argv, platform);
    if (code >= 0)
        return code;
    log_start(platform->program, d.arguments.verbose ? LOG_DEBUG : LOG_INFO);
    code = run(&d);
    release(&d);
    return code;
}
