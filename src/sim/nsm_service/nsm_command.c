/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim nsm: options, start and end. */
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"
#include "sim/commands.h"
#include "sim/nsm/nsm_module.h"
#include "sim/nsm/nsm_pcrs.h"
#include "sim/nsm_service/nsm_server.h"
#include "system/file.h"
#include "system/signals.h"

#define READ_MAX 16 /* files of measurements */

/* With what the module starts, and the files that were read for it. */
struct nsm_start {
    struct nsm_engine_config engine;
    const char *read[READ_MAX];
    size_t read_count;
};

struct nsm_options {
    struct address listen;
    const char *root;  /* written */
    const char *state; /* NULL: nothing is kept */
    unsigned map;
    struct nsm_start start;
    struct nsm_fault fault;
};

static bool take_listen(void *place, const char *option, const char *text, struct error *err)
{
    struct address *listen = place;
    return any_address_parse(listen, text, err) &&
           (address_is_unix(listen) ||
            error_set(err, ERROR_USAGE, "%s takes unix:PATH, not %.100s", option, text));
}

static bool take_register(void *place, const char *option, const char *text, struct error *err)
{
    struct nsm_start *start = place;
    (void)option;
    return nsm_pcrs_parse(&start->engine, text, err);
}

static bool take_measurements(void *place, const char *option, const char *text, struct error *err)
{
    struct nsm_start *start = place;
    if (start->read_count == READ_MAX)
        return error_set(err, ERROR_USAGE, "%s is given more than %d times", option, READ_MAX);
    start->read[start->read_count++] = text;
    return nsm_module_read_pcrs(&start->engine, text, err);
}

enum map { MAP_DEFINITE, MAP_INDEFINITE };
static const char *const maps[] = {"definite", "indefinite", NULL};

static const struct cli_option options[] = {
    CLI_PARSED("listen", "ADDRESS", struct nsm_options, listen, take_listen,
               "serve at this socket, unix:PATH (SOCK_SEQPACKET, one packet per message)",
               .needed = true),
    CLI_TEXT("write-nsm-root", "FILE", struct nsm_options, root,
             "write the root certificate (PEM) that verifies its documents there", .needed = true,
             .old = "root"),
    CLI_TEXT("state", "DIR", struct nsm_options, state,
             "keep keys and chain in DIR, so that a restart has the same root; without it they are "
             "new at each start and stay in memory"),
    CLI_PARSED("pcr", "N=HEX", struct nsm_options, start, take_register,
               "start register N (0 to 31) with 96 hex digits; repeatable", .shared = true),
    CLI_PARSED("measurements", "FILE", struct nsm_options, start, take_measurements,
               "start registers from JSON: {\"PCR0\": \"hex\", ...}, or what nitro-cli prints; "
               "registers that are not given are zero, except 4, which measures the instance's id",
               .shared = true, .old = "pcrs"),
    CLI_CHOICE("map", "KIND", struct nsm_options, map, maps, MAP_DEFINITE,
               "write the document's payload as a definite (default) or indefinite map"),
    CLI_FLAG("debug-mode", struct nsm_options, start.engine.debug_mode,
             "zero registers 0, 1, 2 and 8, as in an enclave's debug mode"),
    CLI_PARSED("fault", "FAULT", struct nsm_options, fault, nsm_fault_parse,
               "for tests: answer requests with a fault (described for this command)"),
};

static bool serve(struct nsm_engine *engine, const struct nsm_options *from, int stop_fd,
                  struct error *err)
{
    int listener;
    if (!nsm_server_listen(&from->listen, &listener, err))
        return false;
    if (from->fault.kind != NSM_FAULT_NONE)
        log_warning("nsm: requests are answered with a fault, by --fault");
    log_info("nsm: module %s", nsm_engine_module_id(engine));
    printf("ready %s\n", from->listen.text);
    fflush(stdout);
    bool ok = nsm_server_run(engine, &from->fault, listener, stop_fd, err);
    close(listener);
    address_unlink(&from->listen);
    return ok;
}

static bool run(const struct nsm_options *from, struct error *err)
{
    struct nsm_module module = {0};
    static const int stop_signals[] = {SIGINT, SIGTERM, 0};
    int stop_fd = signals_open(stop_signals, err);
    bool ok = stop_fd >= 0 &&
              nsm_module_start(&module, &from->start.engine, from->state, from->root, err) &&
              serve(module.engine, from, stop_fd, err);
    nsm_module_stop(&module);
    if (stop_fd >= 0)
        close(stop_fd);
    return ok;
}

static bool check(void *given, struct error *err)
{
    const struct nsm_options *from = given;
    return file_check_output(from->root, from->start.read, from->start.read_count, err);
}

static int nsm(void *given)
{
    struct nsm_options *from = given;
    struct error err = {0};
    from->start.engine.indefinite_map = from->map == MAP_INDEFINITE;
    if (run(from, &err))
        return SIM_OK;
    log_error("nsm: %s", err.cause);
    return SIM_FAILED;
}

const struct cli_command command_nsm = {
    .name = "nsm",
    .summary = "a Nitro Security Module at a unix socket",
    .synopsis = "--listen unix:PATH --write-nsm-root FILE [OPTION...]",
    .about =
        "A simulated Nitro Security Module: real requests, real documents, a root of its own.\n"
        "Prints `ready unix:PATH` when it listens; ends on SIGINT or SIGTERM and removes its "
        "socket.",
    .more = "FAULT is one of these, and :REQUEST may follow to spoil only requests of that name:\n"
            "  error:NAME  the module's error NAME, such as InvalidOperation\n"
            "  short       half of the true answer\n"
            "  silent      no answer\n"
            "  garbage     bytes that are not CBOR",
    .examples = "  enclave-sim nsm --listen unix:/tmp/nsm.sock --write-nsm-root /tmp/root.pem \\\n"
                "      --measurements build.json\n"
                "  enclave-sim nsm --listen unix:nsm.sock --write-nsm-root root.pem --state nsm\n"
                "  enclave-sim nsm --listen unix:nsm.sock --write-nsm-root root.pem \\\n"
                "      --fault error:InternalError:GetRandom\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof(struct nsm_options),
    .check = check,
    .run = nsm,
};
