/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim nsm: options, identity, and the way from start to a clean end. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "sim/commands.h"
#include "sim/nsm/nsm_module.h"
#include "sim/nsm/nsm_pcrs.h"
#include "sim/nsm_service/nsm_server.h"
#include "system/signals.h"

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
        return nsm_module_read_pcrs(&options->engine, value, err);
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
    struct nsm_module module = {0};
    static const int stop_signals[] = {SIGINT, SIGTERM, 0};
    int stop_fd = signals_open(stop_signals, err);
    bool ok = stop_fd >= 0 &&
              nsm_module_start(&module, &options->engine, options->state, options->root, err) &&
              serve(module.engine, options, stop_fd, err);
    nsm_module_stop(&module);
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
