/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim kms: options, start and end. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "formats/arn.h"
#include "pki/pki.h"
#include "sim/commands.h"
#include "sim/kms/kms_server.h"
#include "sim/kms/sts_roles.h"
#include "sockets/any_address.h"
#include "system/file.h"
#include "system/signals.h"

#define HOSTS_MAX  16
#define FAULTS_MAX 16
#define BACKLOG    128
#define PEM_MAX    (1u << 20)
#define REGION_MAX 32
#define SKEW_MAX   1000000000 /* seconds */

static const int stop_signals[] = {SIGINT, SIGTERM, 0};

struct kms_options {
    struct address listen; /* len 0: the default */
    const char *database;
    const char *nsm_root;
    const char *roots; /* written */
    const char *region;
    const char *account;
    const char *credentials;
    const char *roles;
    const char *fault_file;
    const char *hosts[HOSTS_MAX];
    size_t host_count;
    const char *faults[FAULTS_MAX];
    size_t fault_count;
    enum cms_content envelope;
    int64_t clock_skew_s;
};

static bool take_listen(void *place, const char *option, const char *text, struct error *err)
{
    struct address *listen = place;
    return any_address_parse(listen, text, err) &&
           (address_is_tcp(listen) ||
            error_set(err, ERROR_USAGE, "%s takes tcp:HOST:PORT, not %.100s", option, text));
}

static bool check_region(const char *option, const char *text, struct error *err)
{
    size_t len = strlen(text);
    return (len > 0 && len <= REGION_MAX) ||
           error_set(err, ERROR_USAGE, "%s takes a region of at most %d letters", option,
                     REGION_MAX);
}

static bool check_account(const char *option, const char *text, struct error *err)
{
    return arn_is_account(bytes_text(text)) ||
           error_set(err, ERROR_USAGE, "%s takes 12 digits, not %.40s", option, text);
}

static const char *const envelopes[] = {
    [CMS_CONSTRUCTED] = "constructed", [CMS_PRIMITIVE] = "primitive", NULL};

static const struct cli_option options[] = {
    CLI_PARSED("listen", "ADDRESS", struct kms_options, listen, take_listen,
               "serve at tcp:HOST:PORT (default tcp:127.0.0.1:0, a free port)"),
    CLI_TEXT("db", "FILE", struct kms_options, database,
             "keep keys, policies, aliases and certificates there; made with mode 0600",
             .needed = true),
    CLI_TEXT("nsm-root", "FILE", struct kms_options, nsm_root,
             "believe attestation documents under this root certificate (PEM)", .needed = true),
    CLI_TEXT("credentials", "FILE", struct kms_options, credentials,
             "who may call, as JSON (described for this command); read again when it changes"),
    CLI_TEXT("roles", "FILE", struct kms_options, roles,
             "who may assume which role, as JSON (described for this command); read again when it "
             "changes"),
    CLI_TEXT("write-roots", "FILE", struct kms_options, roots,
             "write the certificate (PEM) of its authority there, which clients must trust",
             .old = "ca"),
    CLI_TEXT("region", "REGION", struct kms_options, region, "the region served (us-east-1)",
             .check = check_region),
    CLI_TEXT("account", "ID", struct kms_options, account,
             "the account that owns the keys, 12 digits (111122223333)", .check = check_account),
    CLI_TEXTS("host", "NAME", struct kms_options, hosts, host_count,
              "a name in its certificate; repeatable (kms.REGION.amazonaws.com, the same of "
              "sts, localhost and 127.0.0.1)"),
    CLI_CHOICE("envelope", "FORM", struct kms_options, envelope, envelopes, CMS_CONSTRUCTED,
               "CiphertextForRecipient is constructed (default) or primitive"),
    CLI_INTEGER("clock-skew", "SECONDS", struct kms_options, clock_skew_s, -SKEW_MAX, SKEW_MAX,
                "set its clock ahead by so many seconds, or back if negative"),
    CLI_TEXTS("fault", "RULE", struct kms_options, faults, fault_count,
              "for tests: spoil the next answers, 'OPERATION FAULT COUNT' (described for this "
              "command); repeatable",
              .check = kms_fault_check),
    CLI_TEXT("fault-file", "FILE", struct kms_options, fault_file,
             "for tests: such rules, one per line; read again when it changes, replacing all"),
};

static bool read_root(const char *path, struct buffer *der, struct error *err)
{
    BUFFER_AUTO pem;
    buffer_init(&pem, PEM_MAX);
    return file_read(path, &pem, err) && pki_pem_to_der(buffer_bytes(&pem), der, err);
}

static bool add_faults(struct kms_service *service, const struct kms_options *o, struct error *err)
{
    service->faults = kms_faults_new(o->fault_file, err);
    for (size_t i = 0; service->faults != NULL && i < o->fault_count; i++)
        if (!kms_faults_add(service->faults, o->faults[i], err))
            return false;
    return service->faults != NULL;
}

/* Opens the socket, serves, reports that it serves, and waits until stop_fd is readable. */
static bool serve(struct kms_service *service, const struct kms_options *o,
                  const struct kms_identity *identity, int stop_fd, struct error *err)
{
    struct address address = o->listen;
    int fd = -1;
    if (address.len == 0 && !any_address_parse(&address, "tcp:127.0.0.1:0", err))
        return false;
    if (!address_listen(&address, BACKLOG, &fd, err))
        return false;
    if (!address_bound(fd, &address, err)) {
        close(fd);
        return false;
    }
    struct kms_server *server = kms_server_start(service, fd, identity, err);
    if (server == NULL)
        return false;
    printf("ready %s\n", address.text);
    fflush(stdout);
    log_info("kms: serving %s, account %s, on %s", service->region, service->account, address.text);
    const struct deadline never = {.at_ms = INT64_MAX, .stop_fd = -1};
    bool stopped = deadline_wait(&never, stop_fd, POLLIN, err);
    log_info("kms: stopping");
    kms_server_stop(server);
    return stopped;
}

/* The names in the certificate, ended by NULL; those of KMS itself where none were asked for. */
struct hosts {
    const char *names[HOSTS_MAX + 1];
    char kms[64], sts[64];
};

static void settle_hosts(struct hosts *hosts, const struct kms_options *o)
{
    *hosts = (struct hosts){0};
    memcpy(hosts->names, o->hosts, sizeof o->hosts);
    if (o->host_count > 0)
        return;
    snprintf(hosts->kms, sizeof hosts->kms, "kms.%.*s.amazonaws.com", REGION_MAX, o->region);
    snprintf(hosts->sts, sizeof hosts->sts, "sts.%.*s.amazonaws.com", REGION_MAX, o->region);
    hosts->names[0] = hosts->kms;
    hosts->names[1] = hosts->sts;
    hosts->names[2] = "localhost";
    hosts->names[3] = "127.0.0.1";
}

static bool run(struct kms_service *service, const struct kms_options *o, int stop_fd,
                struct error *err)
{
    struct hosts hosts;
    struct kms_identity identity;
    settle_hosts(&hosts, o);
    kms_identity_init(&identity);
    service->store = kms_store_open(o->database, err);
    bool ok = service->store != NULL && add_faults(service, o, err) &&
              (o->credentials == NULL ||
               kms_credentials_load(service->store, &service->credentials, err)) &&
              (o->roles == NULL || (service->roles = sts_roles_new(o->roles, err)) != NULL) &&
              kms_identity_load(&identity, service->store, hosts.names, err) &&
              (o->roots == NULL || kms_identity_publish(&identity, o->roots, err)) &&
              serve(service, o, &identity, stop_fd, err);
    kms_identity_clear(&identity);
    kms_faults_free(service->faults);
    sts_roles_free(service->roles);
    kms_store_close(service->store);
    return ok;
}

static int kms(void *given)
{
    const struct kms_options *o = given;
    struct error err = {.code = ERROR_NONE};
    BUFFER_AUTO root;
    buffer_init(&root, PEM_MAX);
    if (!read_root(o->nsm_root, &root, &err)) {
        log_error("kms: %s: %s", error_text(err.code), err.cause);
        return SIM_FAILED;
    }
    struct kms_service service = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .region = o->region,
        .account = o->account,
        .credentials.path = o->credentials,
        .nsm_root = buffer_bytes(&root),
        .envelope = o->envelope,
        .clock_offset_us = o->clock_skew_s * 1000000,
    };
    /* Before any thread is started, so that all of them inherit the mask. */
    int stop_fd = signals_open(stop_signals, &err);
    bool ok = stop_fd >= 0 && run(&service, o, stop_fd, &err);
    if (stop_fd >= 0)
        close(stop_fd);
    if (ok)
        return SIM_OK;
    log_error("kms: %s: %s", error_text(err.code), err.cause);
    return SIM_FAILED;
}

static bool check(void *given, struct error *err)
{
    const struct kms_options *o = given;
    const char *const inputs[] = {o->database, o->nsm_root, o->credentials, o->roles,
                                  o->fault_file};
    return file_check_output(o->roots, inputs, ARRAY_LEN(inputs), err);
}

static const struct kms_options initial = {
    .region = "us-east-1",
    .account = "111122223333",
    .envelope = CMS_CONSTRUCTED,
};

const struct cli_command command_kms = {
    .name = "kms",
    .summary = "AWS KMS with attested recipients, over HTTPS",
    .synopsis = "--db FILE --nsm-root FILE [OPTION...]",
    .about =
        "A stand-in for AWS KMS with attested recipients: its HTTPS, shapes, errors and policies.\n"
        "When it serves, it prints `ready tcp:ADDRESS:PORT`. SIGINT and SIGTERM end it. The log, "
        "on\n"
        "standard error, has one line per request and, for each denial, what every condition of "
        "the\n"
        "policy wanted and what the request had.",
    .more =
        "RULE is OPERATION FAULT COUNT: the name of an operation, or * for all; how to spoil its\n"
        "answers; how many of them. FAULT is 400, 403, 500, 503, throttle, garbage, large, half,\n"
        "hang, reset, other-key, no-key, other-recipient, broken-envelope, plaintext, short-tsk "
        "or\n"
        "long-tsk.\n"
        "\n"
        "The credentials file, mode 0600:\n"
        "  [{\"access_key_id\": \"AKIDEXAMPLE\", \"secret_access_key\": \"...\",\n"
        "    \"session_token\": \"...\", \"expiration\": \"2030-01-01T00:00:00Z\",\n"
        "    \"principal\": \"arn:aws:sts::111122223333:assumed-role/enclave/i-0123\"}]\n"
        "session_token and expiration may be left out. Without --credentials, those of the last\n"
        "start are used. Every principal of the account is taken to have kms:* by IAM. So if a "
        "key\n"
        "policy delegates to the account's root, every principal may do what that statement "
        "allows.\n"
        "\n"
        "AWS STS answers at the same address: AssumeRole, AssumeRoleWithWebIdentity and\n"
        "GetCallerIdentity. The sessions that it gives out may call KMS. The roles file, in which\n"
        "all but arn may be left out:\n"
        "  [{\"arn\": \"arn:aws:iam::111122223333:role/enclave\",\n"
        "    \"trusts\": [\"arn:aws:iam::111122223333:root\"], \"external_id\": \"...\",\n"
        "    \"max_seconds\": 3600, \"identity_provider\": {\n"
        "      \"issuer\": \"https://oidc.example\", \"audience\": \"sts.amazonaws.com\",\n"
        "      \"subject\": \"system:serviceaccount:default:enclave\",\n"
        "      \"public_key\": \"base64 of a SubjectPublicKeyInfo\"}}]",
    .examples =
        "  enclave-sim kms --listen tcp:127.0.0.1:8443 --db kms.db --nsm-root nsm-root.pem \\\n"
        "      --write-roots kms-ca.pem --credentials credentials.json\n"
        "  AWS_CA_BUNDLE=kms-ca.pem aws kms create-key --endpoint-url https://localhost:8443\n"
        "  enclave-sim kms --db kms.db --nsm-root nsm-root.pem --fault 'Decrypt throttle 2'\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = kms,
};
