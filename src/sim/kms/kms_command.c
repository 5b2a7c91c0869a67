/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim kms: options, start and end. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "net/address.h"
#include "pki/pki.h"
#include "sim/commands.h"
#include "sim/kms/kms_server.h"
#include "system/file.h"
#include "system/signals.h"

#define HOSTS_MAX  16
#define FAULTS_MAX 16
#define PEM_MAX    (1u << 20)

static const int stop_signals[] = {SIGINT, SIGTERM, 0};

struct options {
    const char *listen;
    const char *database;
    const char *nsm_root;
    const char *authority;
    const char *region;
    const char *account;
    const char *credentials;
    const char *fault_file;
    const char *hosts[HOSTS_MAX + 1];
    size_t host_count;
    char endpoint[64]; /* the first of hosts, if none is given */
    const char *faults[FAULTS_MAX];
    size_t fault_count;
    enum cms_content envelope;
    long clock_offset_s;
};

static const char help[] =
    "usage: enclave-sim kms --db FILE --nsm-root FILE [OPTION]...\n"
    "A stand-in for AWS KMS with attested recipients: its HTTPS, shapes, errors and policies.\n"
    "\n"
    "  --listen tcp:HOST:PORT   where to serve (tcp:127.0.0.1:0: a free port)\n"
    "  --db FILE                keys, policies, aliases and certificates; made with mode 0600\n"
    "  --nsm-root FILE          the root certificate (PEM) of attestation documents to believe\n"
    "  --credentials FILE       who may call, as JSON (below); read again when it changes\n"
    "  --ca FILE                write the authority's certificate (PEM) here, for clients\n"
    "  --region NAME            the region served (us-east-1)\n"
    "  --account ID             the account that owns the keys, 12 digits (111122223333)\n"
    "  --host NAME              a name for the certificate, repeatable\n"
    "                           (kms.REGION.amazonaws.com, localhost and 127.0.0.1)\n"
    "  --envelope FORM          CiphertextForRecipient: constructed (default) or primitive\n"
    "  --clock-skew SECONDS     this KMS's clock goes so much ahead (behind: negative)\n"
    "  --help                   this text\n"
    "\n"
    "For tests only, to see how a client bears it:\n"
    "  --fault 'OPERATION FAULT COUNT'  spoil the next COUNT answers, repeatable. OPERATION: a "
    "name\n"
    "                           or *. FAULT: 400, 403, 500, 503, throttle, garbage, large,\n"
    "                           half, hang, reset, other-key, no-key, other-recipient,\n"
    "                           broken-envelope, plaintext, short-tsk, long-tsk\n"
    "  --fault-file FILE        such lines; read again when it changes, replacing all\n"
    "\n"
    "The credentials file, mode 0600:\n"
    "  [{\"access_key_id\": \"AKIDEXAMPLE\", \"secret_access_key\": \"...\",\n"
    "    \"session_token\": \"...\", \"expiration\": \"2030-01-01T00:00:00Z\",\n"
    "    \"principal\": \"arn:aws:sts::111122223333:assumed-role/enclave/i-0123\"}]\n"
    "session_token and expiration may be left out. Without --credentials, those of the last start\n"
    "are used. Every principal of the account is taken to have kms:* by IAM, so where a key "
    "policy\n"
    "delegates to the account's root, they may.\n"
    "\n"
    "When it serves, it prints `ready tcp:ADDRESS:PORT`. SIGINT and SIGTERM end it. The log, on\n"
    "standard error, has a line a request and, for each denial, what every condition of the "
    "policy\n"
    "wanted and what the request had.\n"
    "\n"
    "Examples:\n"
    "  enclave-sim kms --listen tcp:127.0.0.1:8443 --db kms.db --nsm-root nsm-root.pem \\\n"
    "      --ca kms-ca.pem --credentials credentials.json\n"
    "  AWS_CA_BUNDLE=kms-ca.pem aws kms create-key --endpoint-url https://localhost:8443\n"
    "  enclave-sim kms --db kms.db --nsm-root nsm-root.pem --fault 'Decrypt throttle 2'\n"
    "\n"
    "Exit codes: 0 ended as asked, 1 failed (the reason is on standard error), 2 wrong usage.\n";

enum option_code {
    OPTION_LISTEN = 256,
    OPTION_DB,
    OPTION_NSM_ROOT,
    OPTION_CA,
    OPTION_REGION,
    OPTION_ACCOUNT,
    OPTION_HOST,
    OPTION_CREDENTIALS,
    OPTION_ENVELOPE,
    OPTION_CLOCK_SKEW,
    OPTION_FAULT,
    OPTION_FAULT_FILE,
};

static const struct option long_options[] = {
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"db", required_argument, NULL, OPTION_DB},
    {"nsm-root", required_argument, NULL, OPTION_NSM_ROOT},
    {"ca", required_argument, NULL, OPTION_CA},
    {"region", required_argument, NULL, OPTION_REGION},
    {"account", required_argument, NULL, OPTION_ACCOUNT},
    {"host", required_argument, NULL, OPTION_HOST},
    {"credentials", required_argument, NULL, OPTION_CREDENTIALS},
    {"envelope", required_argument, NULL, OPTION_ENVELOPE},
    {"clock-skew", required_argument, NULL, OPTION_CLOCK_SKEW},
    {"fault", required_argument, NULL, OPTION_FAULT},
    {"fault-file", required_argument, NULL, OPTION_FAULT_FILE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static bool wrong(const char *what, const char *value)
{
    fprintf(stderr, "enclave-sim kms: %s: %s (try --help)\n", what, value);
    return false;
}

static bool parse_seconds(const char *text, long *out)
{
    char *end = NULL;
    *out = strtol(text, &end, 10);
    return end != text && *end == '\0' && labs(*out) <= 1000000000;
}

static bool set_option(struct options *o, int option, const char *value)
{
    switch (option) {
    case OPTION_LISTEN:
        o->listen = value;
        return true;
    case OPTION_DB:
        o->database = value;
        return true;
    case OPTION_NSM_ROOT:
        o->nsm_root = value;
        return true;
    case OPTION_CA:
        o->authority = value;
        return true;
    case OPTION_CREDENTIALS:
        o->credentials = value;
        return true;
    case OPTION_FAULT_FILE:
        o->fault_file = value;
        return true;
    case OPTION_REGION:
        o->region = value;
        return (strlen(value) > 0 && strlen(value) <= 32) || wrong("not a region", value);
    case OPTION_ACCOUNT:
        o->account = value;
        return (strlen(value) == 12 && strspn(value, "0123456789") == 12) ||
               wrong("an account is 12 digits", value);
    case OPTION_HOST:
        if (o->host_count == HOSTS_MAX)
            return wrong("too many hosts", value);
        o->hosts[o->host_count++] = value;
        return true;
    case OPTION_FAULT:
        if (o->fault_count == FAULTS_MAX)
            return wrong("too many faults", value);
        o->faults[o->fault_count++] = value;
        return true;
    case OPTION_ENVELOPE:
        o->envelope = strcmp(value, "primitive") == 0 ? CMS_PRIMITIVE : CMS_CONSTRUCTED;
        return o->envelope == CMS_PRIMITIVE || strcmp(value, "constructed") == 0 ||
               wrong("--envelope is constructed or primitive", value);
    case OPTION_CLOCK_SKEW:
        return parse_seconds(value, &o->clock_offset_s) || wrong("not seconds", value);
    default:
        return false; /* getopt has said what is wrong */
    }
}

/* 0: go on; else the exit code, plus one. */
static int parse_options(struct options *o, int argc, char **argv)
{
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "h", long_options, NULL)) != -1) {
        if (option == 'h') {
            fputs(help, stdout);
            return SIM_OK + 1;
        }
        if (!set_option(o, option, optarg))
            return SIM_USAGE + 1;
    }
    if (optind < argc)
        wrong("unexpected argument", argv[optind]);
    else if (strncmp(o->listen, "tcp:", 4) != 0)
        wrong("--listen takes tcp:HOST:PORT, not this", o->listen);
    else if (o->database == NULL)
        wrong("missing option", "--db FILE");
    else if (o->nsm_root == NULL)
        wrong("missing option", "--nsm-root FILE");
    else
        return 0;
    return SIM_USAGE + 1;
}

static bool read_root(const char *path, struct buffer *der, struct error *err)
{
    BUFFER_AUTO pem;
    buffer_init(&pem, PEM_MAX);
    return file_read(path, &pem, err) && pki_pem_to_der(buffer_bytes(&pem), der, err);
}

static bool add_faults(struct kms_service *service, const struct options *o, struct error *err)
{
    service->faults = kms_faults_new(o->fault_file, err);
    for (size_t i = 0; service->faults != NULL && i < o->fault_count; i++)
        if (!kms_faults_add(service->faults, o->faults[i], err))
            return false;
    return service->faults != NULL;
}

static void wait_for(int fd)
{
    struct pollfd stop = {.fd = fd, .events = POLLIN};
    while (poll(&stop, 1, -1) < 0 && errno == EINTR)
        continue;
}

/* Opens the socket, serves, reports that it serves, and waits until stop_fd is readable. */
static bool serve(struct kms_service *service, const struct options *o,
                  const struct kms_identity *identity, int stop_fd, struct error *err)
{
    struct address address;
    int fd = -1;
    if (!address_parse(&address, o->listen, err) || !address_listen(&address, 128, &fd, err))
        return false;
    if (!address_of(fd, &address, err)) {
        close(fd);
        return false;
    }
    struct kms_server *server = kms_server_start(service, fd, identity, err);
    if (server == NULL)
        return false;
    printf("ready %s\n", address.text);
    fflush(stdout);
    log_info("kms: serving %s, account %s, on %s", service->region, service->account, address.text);
    wait_for(stop_fd);
    log_info("kms: ending");
    kms_server_stop(server);
    return true;
}

static bool run(struct kms_service *service, struct options *o, int stop_fd, struct error *err)
{
    if (o->host_count == 0) {
        snprintf(o->endpoint, sizeof o->endpoint, "kms.%.32s.amazonaws.com", o->region);
        o->hosts[o->host_count++] = o->endpoint;
        o->hosts[o->host_count++] = "localhost";
        o->hosts[o->host_count++] = "127.0.0.1";
    }
    struct kms_identity identity;
    kms_identity_init(&identity);
    service->store = kms_store_open(o->database, err);
    bool ok = service->store != NULL && add_faults(service, o, err) &&
              (o->credentials == NULL ||
               kms_credentials_load(service->store, &service->credentials, err)) &&
              kms_identity_load(&identity, service->store, o->hosts, err) &&
              (o->authority == NULL || kms_identity_publish(&identity, o->authority, err)) &&
              serve(service, o, &identity, stop_fd, err);
    kms_identity_clear(&identity);
    kms_faults_free(service->faults);
    kms_store_close(service->store);
    return ok;
}

int command_kms(int argc, char **argv)
{
    struct options o = {.listen = "tcp:127.0.0.1:0",
                        .region = "us-east-1",
                        .account = "111122223333",
                        .envelope = CMS_CONSTRUCTED};
    int code = parse_options(&o, argc, argv);
    if (code != 0)
        return code - 1;
    struct error err = {.code = ERROR_NONE};
    BUFFER_AUTO root;
    buffer_init(&root, PEM_MAX);
    if (!read_root(o.nsm_root, &root, &err)) {
        log_error("kms: %s: %s", error_text(err.code), err.cause);
        return SIM_FAILED;
    }
    struct kms_service service = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .region = o.region,
        .account = o.account,
        .credentials.path = o.credentials,
        .nsm_root = buffer_bytes(&root),
        .envelope = o.envelope,
        .clock_offset_us = (int64_t)o.clock_offset_s * 1000000,
    };
    /* Before any thread is started, so that all of them inherit the mask. */
    int stop_fd = signals_open(stop_signals, &err);
    bool ok = stop_fd >= 0 && run(&service, &o, stop_fd, &err);
    if (stop_fd >= 0)
        close(stop_fd);
    if (ok)
        return SIM_OK;
    log_error("kms: %s: %s", error_text(err.code), err.cause);
    return SIM_FAILED;
}
