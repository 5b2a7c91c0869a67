/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim nsm: options, identity, and the way from start to a clean end. */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/signalfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/cbor.h"
#include "crypto/attestation_verify.h"
#include "sim/commands.h"
#include "sim/nsm_pcrs.h"
#include "sim/nsm_server.h"

static const char help[] =
    "usage: enclave-sim nsm --listen unix:PATH --root FILE [OPTION]...\n"
    "A simulated Nitro Security Module: real requests, real documents, a root of its own.\n"
    "\n"
    "  --listen unix:PATH   socket to serve on (SOCK_SEQPACKET, a packet a message)\n"
    "  --root FILE          where to write the root certificate (PEM) that verifies documents\n"
    "  --state DIR          keep keys and chain in DIR, so that a restart has the same root;\n"
    "                       without it all is made anew and kept in memory\n"
    "  --pcr N=HEX          start register N (0..31) with 96 hex digits; may be repeated\n"
    "  --pcrs FILE          start registers from JSON: {\"PCR0\": \"hex\", ...}, or what "
    "nitro-cli\n"
    "                       prints: {\"Measurements\": {...}}\n"
    "                       Registers that are not given are zero, but for 4: it measures the\n"
    "                       instance's id\n"
    "  --map KIND           the document's payload as a definite (default) or indefinite map\n"
    "  --debug-mode         registers 0, 1, 2 and 8 are zero, as in an enclave's debug mode\n"
    "  --fault FAULT        for tests: meet requests with a fault, which is one of\n"
    "                       error:NAME  the module's error NAME, such as InvalidOperation\n"
    "                       short       half of the true answer\n"
    "                       silent      no answer\n"
    "                       garbage     bytes that are no CBOR\n"
    "                       and may be followed by :REQUEST to meet only requests of that name\n"
    "  --help               this text\n"
    "\n"
    "Prints `ready unix:PATH` when it listens; ends on SIGINT or SIGTERM and removes its socket.\n"
    "\n"
    "Examples:\n"
    "  enclave-sim nsm --listen unix:/tmp/nsm.sock --root /tmp/root.pem --pcrs build.json\n"
    "  enclave-sim nsm --listen unix:nsm.sock --root root.pem --state nsm --map indefinite\n"
    "  enclave-sim nsm --listen unix:nsm.sock --root root.pem --fault "
    "error:InternalError:GetRandom\n"
    "\n"
    "Exit codes: 0 ended as asked, 1 failed (the reason is on standard error), 2 wrong usage.\n";

struct options {
    struct address listen;
    const char *root;
    const char *state;
    struct nsm_engine_config engine;
    struct nsm_fault fault;
};

static bool read_pcrs_file(struct nsm_engine_config *config, const char *path, struct error *err)
{
    BUFFER_AUTO text = {.limit = 65536};
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return error_set_errno(err, ERROR_USAGE, "%s cannot be read", path);
    uint8_t *room = buffer_reserve(&text, text.limit);
    buffer_commit(&text, room == NULL ? 0 : fread(room, 1, text.limit, file));
    fclose(file);
    struct error why = {0};
    return nsm_pcrs_from_json(config, buffer_bytes(&text), &why) ||
           error_set(err, ERROR_USAGE, "%s: %s", path, why.cause);
}

static bool parse_map(struct nsm_engine_config *config, const char *kind, struct error *err)
{
    config->indefinite_map = strcmp(kind, "indefinite") == 0;
    return config->indefinite_map || strcmp(kind, "definite") == 0 ||
           error_set(err, ERROR_USAGE, "--map is definite or indefinite, not %s", kind);
}

static bool take_option(struct options *options, int option, const char *value, struct error *err)
{
    switch (option) {
    case 'l':
        return address_parse(&options->listen, value, err) &&
               (options->listen.family == ADDRESS_UNIX ||
                error_set(err, ERROR_USAGE, "--listen takes unix:PATH, not %s", value));
    case 'r':
        options->root = value;
        return true;
    case 's':
        options->state = value;
        return true;
    case 'p':
        return nsm_pcrs_parse(&options->engine, value, err);
    case 'P':
        return read_pcrs_file(&options->engine, value, err);
    case 'm':
        return parse_map(&options->engine, value, err);
    case 'd':
        options->engine.debug_mode = true;
        return true;
    case 'f':
        return nsm_fault_parse(&options->fault, value, err);
    default: /* getopt has said what is wrong */
        return error_set(err, ERROR_USAGE, "try enclave-sim nsm --help");
    }
}

static bool parse_options(struct options *options, int argc, char **argv, bool *wants_help,
                          struct error *err)
{
    static const struct option known[] = {
        {"listen", required_argument, NULL, 'l'}, {"root", required_argument, NULL, 'r'},
        {"state", required_argument, NULL, 's'},  {"pcr", required_argument, NULL, 'p'},
        {"pcrs", required_argument, NULL, 'P'},   {"map", required_argument, NULL, 'm'},
        {"debug-mode", no_argument, NULL, 'd'},   {"fault", required_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
    };
    *options = (struct options){0};
    *wants_help = false;
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        *wants_help = option == 'h';
        if (*wants_help)
            return true;
        if (!take_option(options, option, optarg, err))
            return false;
    }
    if (optind < argc)
        return error_set(err, ERROR_USAGE, "unexpected argument: %s", argv[optind]);
    if (options->listen.len == 0 || options->root == NULL)
        return error_set(err, ERROR_USAGE, "--listen and --root are required");
    return true;
}

static int64_t now_ms(void)
{
    return clock_wall_us() / 1000;
}

static bool obtain_identity(struct nsm_identity *identity, const char *folder, struct error *err)
{
    bool found = false;
    if (folder != NULL && !nsm_identity_load(identity, folder, &found, err))
        return false;
    if (found)
        return true;
    return nsm_identity_new(identity, now_ms() / 1000, err) &&
           (folder == NULL || nsm_identity_save(identity, folder, err));
}

/* The document in an answer to Attestation; empty if it is another answer. */
static struct bytes document_in(struct bytes response)
{
    struct cbor_reader r = cbor_reader(response);
    (void)cbor_enter_map(&r);
    bool is_document = bytes_equal_text(cbor_text(&r), "Attestation");
    (void)cbor_enter_map(&r);
    is_document = is_document && bytes_equal_text(cbor_text(&r), "document");
    struct bytes document = cbor_bytes(&r);
    return is_document ? document : bytes_of(NULL, 0);
}

/* A first document must verify under the root: a state folder may hold what does not belong
 * together. */
static bool check_engine(struct nsm_engine *engine, struct bytes root_der, struct error *err)
{
    BUFFER_AUTO request = {.limit = 64};
    BUFFER_AUTO response = {.limit = NSM_ENGINE_RESPONSE_MAX};
    cbor_put_map(&request, 1);
    cbor_put_text(&request, "Attestation");
    cbor_put_map(&request, 0);
    int64_t now = now_ms();
    nsm_engine_answer(engine, buffer_bytes(&request), now, &response);
    struct attestation document;
    struct error why = {0};
    return attestation_verify(&document, document_in(buffer_bytes(&response)), root_der, now,
                              &why) ||
           error_set(err, ERROR_CERTIFICATE, "the module's own documents do not verify: %s",
                     why.cause);
}

static bool write_root(const char *path, struct bytes der, struct error *err)
{
    BUFFER_AUTO pem = {.limit = 65536};
    if (!pki_der_to_pem(der, &pem))
        return error_set(err, ERROR_CRYPTO, "the root certificate cannot be written as PEM");
    FILE *file = fopen(path, "wbe");
    bool ok = file != NULL && fwrite(pem.at, 1, pem.len, file) == pem.len;
    if (file != NULL)
        ok = fclose(file) == 0 && ok;
    return ok || error_set_errno(err, ERROR_SYSTEM, "%s cannot be written", path);
}

/* Readable once SIGINT or SIGTERM has come. */
static int stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static bool serve(struct nsm_engine *engine, const struct options *options, int stop_fd,
                  struct error *err)
{
    int listener;
    if (!nsm_server_listen(&options->listen, &listener, err))
        return false;
    if (options->fault.kind != NSM_FAULT_NONE)
        log_warning("nsm: requests are met with a fault, as asked for");
    log_info("nsm: module %s", nsm_engine_module_id(engine));
    printf("ready %s\n", options->listen.text);
    fflush(stdout);
    bool ok = nsm_server_run(engine, &options->fault, listener, stop_fd, err);
    close(listener);
    unlink(((const struct sockaddr_un *)&options->listen.storage)->sun_path);
    return ok;
}

static bool run(const struct options *options, struct error *err)
{
    struct nsm_identity identity = {0};
    struct nsm_engine *engine = NULL;
    int stop_fd = stop_signals();
    bool ok = stop_fd >= 0 || error_set_errno(err, ERROR_SYSTEM, "signalfd");
    ok = ok && obtain_identity(&identity, options->state, err) &&
         (engine = nsm_engine_new(&identity, &options->engine, err)) != NULL &&
         check_engine(engine, buffer_bytes(&identity.certs[NSM_CERT_ROOT]), err) &&
         write_root(options->root, buffer_bytes(&identity.certs[NSM_CERT_ROOT]), err) &&
         serve(engine, options, stop_fd, err);
    nsm_engine_free(engine);
    nsm_identity_clear(&identity);
    if (stop_fd >= 0)
        close(stop_fd);
    return ok;
}

int command_nsm(int argc, char **argv)
{
    struct options options;
    struct error err = {0};
    bool wants_help;
    if (!parse_options(&options, argc, argv, &wants_help, &err)) {
        fprintf(stderr, "enclave-sim nsm: %s\n", err.cause);
        return SIM_USAGE;
    }
    if (wants_help) {
        fputs(help, stdout);
        return SIM_OK;
    }
    if (run(&options, &err))
        return SIM_OK;
    log_error("nsm: %s", err.cause);
    return SIM_FAILED;
}
