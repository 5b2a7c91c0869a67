/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl relay: options, start and end. */
#include "host/relay/relay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "codec/json_writer.h"
#include "host/command.h"
#include "host/notify.h"
#include "host/relay_status.h"
#include "host/report.h"
#include "system/file.h"
#include "system/signals.h"

#define BACKLOG         128
#define OWN_DESCRIPTORS 48 /* besides those of connections: listeners, status, log, lookups */
#define FLUSH_MS        2000

static const struct cli_option options[] = {
    CLI_TEXTS("listen", "ADDRESS", struct relay_options, listens, listen_count,
              "where the enclave connects to: vsock:any:8000; also tcp:, unix:; repeatable"),
    CLI_TEXTS("destination", "HOST:PORT", struct relay_options, destinations, destination_count,
              "where that leads; with several --listen one --destination for each, in order",
              .old = "to"),
    CLI_TEXTS("allow", "HOST:PORT", struct relay_options, allow, allow_count,
              "allow this destination as well; * is one label; repeatable"),
    CLI_TEXT("allow-file", "FILE", struct relay_options, allow_file,
             "allow what FILE lists, in place of the endpoints of KMS"),
    CLI_INTEGERS("cid", "N", struct relay_options, cids, cid_count, 0, UINT32_MAX - 1,
                 "let only the enclave of this CID connect (vsock); repeatable"),
    CLI_INTEGER("connections", "N", struct relay_options, connections, 1, CONNECTIONS_CEILING,
                "how many connections can be open at once (default 512)", .with = "listen"),
    CLI_INTEGER("connect-seconds", "SECONDS", struct relay_options, connect_seconds, 1, 600,
                "limit of a lookup, and of a connect to each address (default 5)",
                .with = "listen"),
    CLI_INTEGER("idle-seconds", "SECONDS", struct relay_options, idle_seconds, 1, SECONDS_MAX,
                "end a connection over which nothing passes for so long (default 300)",
                .with = "listen"),
    CLI_INTEGER("drain-seconds", "SECONDS", struct relay_options, drain_seconds, 0, 3600,
                "how long open connections have after SIGTERM (default 10)", .with = "listen"),
    CLI_TEXT("status", "ADDRESS", struct relay_options, status,
             "report counts there: unix:PATH or tcp:HOST:PORT; the relay of "
             "systemd: " RELAY_STATUS_ADDRESS),
    CLI_TEXT("query", "ADDRESS", struct relay_options, query,
             "ask a running relay's --status address, and print its answer"),
    OPTION_JSON(struct relay_options),
};

/* --- routes ---------------------------------------------------------------------------------- */

static bool set_route(struct relay *relay, size_t i, bool *any_vsock, struct error *err)
{
    struct route *route = &relay->routes[i];
    route->listener = (struct port){.kind = PORT_LISTENER, .fd = -1, .owner = route};
    if (!any_address_parse(&route->listen, relay->options->listens[i], err) ||
        !destination_parse(&route->to, bytes_text(relay->options->destinations[i]), err))
        return false;
    *any_vsock = *any_vsock || address_is_vsock(&route->listen);
    destination_text(&route->to, route->to_text);
    route->allowed = allow_has(&relay->allow, &route->to);
    if (!route->allowed)
        return error_set(err, ERROR_USAGE, "%s is not allowed; to allow it: --allow %s%s",
                         route->to_text, route->to_text,
                         relay->options->allow_file != NULL ? ", or a line in --allow-file" : "");
    relay->route_count++;
    return true;
}

static bool set_routes(struct relay *relay, struct error *err)
{
    const struct relay_options *from = relay->options;
    bool any_vsock = false;
    if (from->listen_count == 0 || from->listen_count != from->destination_count)
        return error_set(err, ERROR_USAGE, "each --listen needs its --destination");
    for (size_t i = 0; i < from->listen_count; i++)
        if (!set_route(relay, i, &any_vsock, err))
            return false;
    if (from->cid_count > 0 && !any_vsock)
        return error_set(err, ERROR_USAGE, "--cid is for --listen vsock:CID:PORT");
    return true;
}

/* Listens, and keeps the address with the port that was chosen for 0. */
static bool listen_at(struct port *port, struct address *address, struct error *err)
{
    struct address bound;
    if (!address_listen(address, BACKLOG, &port->fd, err))
        return false;
    if (address_is_tcp(address)) {
        if (!address_bound(port->fd, &bound, err))
            return false;
        *address = bound;
    }
    return true;
}

static bool listen_everywhere(struct relay *relay, struct error *err)
{
    for (size_t i = 0; i < relay->route_count; i++)
        if (!listen_at(&relay->routes[i].listener, &relay->routes[i].listen, err))
            return false;
    if (relay->options->status == NULL)
        return true;
    if (!any_address_parse(&relay->status_address, relay->options->status, err))
        return false;
    if (address_is_vsock(&relay->status_address)) /* an enclave must not ask for it */
        return error_set(err, ERROR_USAGE, "--status is unix:PATH or tcp:HOST:PORT");
    return listen_at(&relay->status, &relay->status_address, err);
}

/* --- start and end --------------------------------------------------------------------------- */

/* A connection has two descriptors. The soft limit is raised as far as needed and allowed. */
static void set_most(struct relay *relay)
{
    struct rlimit files;
    uint64_t most = (uint64_t)relay->options->connections;
    rlim_t wanted = (rlim_t)(2 * most + OWN_DESCRIPTORS);
    relay->most = most;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    files.rlim_cur = files.rlim_max < wanted ? files.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &files);
    if (getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= wanted)
        return;
    relay->most = files.rlim_cur > OWN_DESCRIPTORS + 2 ? (files.rlim_cur - OWN_DESCRIPTORS) / 2 : 1;
    log_warning("--connections is %llu, but RLIMIT_NOFILE leaves room for %llu",
                (unsigned long long)most, (unsigned long long)relay->most);
}

static bool start(struct relay *relay, struct error *err)
{
    static const int signals[] = {SIGHUP, SIGINT, SIGTERM, SIGUSR1, 0};
    const struct relay_options *from = relay->options;
    relay->now_ms = relay->started_ms = clock_monotonic_ms();
    relay->lists[WAITING_NAME].limit_ms = from->connect_seconds * 1000;
    relay->lists[WAITING_CONNECT].limit_ms = from->connect_seconds * 1000;
    relay->lists[WAITING_BYTES].limit_ms = from->idle_seconds * 1000;
    relay->lists[WAITING_FLUSH].limit_ms = FLUSH_MS;
    if (!notify_check(err) ||
        !allow_read(&relay->allow, from->allow_file, from->allow, from->allow_count, err) ||
        !set_routes(relay, err))
        return false;
    set_most(relay);
    relay->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    relay->spare_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (relay->epoll_fd < 0 || relay->spare_fd < 0)
        return error_set_errno(err, ERROR_SYSTEM, "the relay cannot be started");
    relay->signals.fd = signals_open(signals, err);
    if (relay->signals.fd < 0)
        return false;
    relay->inbox = malloc(RELAY_READ_SIZE);
    if (relay->inbox == NULL)
        return error_set(err, ERROR_MEMORY, "no memory for the relay");
    relay->resolver = resolver_new(LOOKUPS_A_ROUTE * relay->route_count, err);
    if (relay->resolver == NULL)
        return false;
    relay->answers.fd = resolver_fd(relay->resolver);
    return listen_everywhere(relay, err);
}

static int report_ready(const struct relay *relay)
{
    BUFFER_AUTO out;
    buffer_init(&out, 65536);
    struct json_writer w = json_writer(&out);
    bool json = relay->options->common.json;
    if (json) {
        json_object(&w, NULL);
        json_text(&w, "status", "success");
        json_array(&w, "ready");
    }
    for (size_t i = 0; i < relay->route_count; i++) {
        const struct route *route = &relay->routes[i];
        if (!json) {
            buffer_printf(&out, "ready %s -> %s\n", route->listen.text, route->to_text);
            continue;
        }
        json_object(&w, NULL);
        json_text(&w, "listen", route->listen.text);
        json_text(&w, "to", route->to_text);
        json_end(&w);
    }
    if (json) {
        json_end(&w);
        json_end(&w);
        buffer_byte(&out, '\n');
    }
    if (relay->status.fd >= 0)
        log_info("counts at %s", relay->status_address.text);
    int code = report_print(&relay->options->common, buffer_bytes(&out));
    if (code == EXIT_OK)
        notify_ready("serving");
    return code;
}

static void end(struct relay *relay)
{
    for (size_t i = 0; i < relay->route_count; i++)
        port_stop_listening(&relay->routes[i].listener, &relay->routes[i].listen);
    port_stop_listening(&relay->status, &relay->status_address);
    port_close(&relay->signals);
    resolver_free(relay->resolver);
    allow_clear(&relay->allow);
    free(relay->inbox);
    if (relay->epoll_fd >= 0)
        close(relay->epoll_fd);
    if (relay->spare_fd >= 0)
        close(relay->spare_fd);
}

static int serve(const struct relay_options *from)
{
    struct error err = {0};
    struct relay *relay = calloc(1, sizeof *relay);
    if (relay == NULL) {
        error_set(&err, ERROR_MEMORY, "no memory for the relay");
        return report_failure(&from->common, &err);
    }
    relay->options = from;
    relay->epoll_fd = relay->spare_fd = -1;
    relay->signals = (struct port){.kind = PORT_SIGNALS, .fd = -1};
    relay->answers = (struct port){.kind = PORT_ANSWERS, .fd = -1};
    relay->status = (struct port){.kind = PORT_STATUS, .fd = -1};
    int code;
    if (!start(relay, &err)) {
        code = report_failure(&from->common, &err);
    } else if ((code = report_ready(relay)) == EXIT_OK) {
        if (relay_run(relay, &err))
            relay_log_counts(relay);
        else
            code = report_failure(&from->common, &err);
    }
    end(relay);
    free(relay);
    return code;
}

static bool check(void *given, struct error *err)
{
    const struct relay_options *o = given;
    bool serves = o->listen_count > 0 || o->destination_count > 0 || o->allow_count > 0 ||
                  o->allow_file != NULL || o->cid_count > 0 || o->status != NULL;
    return o->query == NULL || !serves ||
           error_set(err, ERROR_USAGE, "--query asks a relay that runs: leave the others out");
}

static int run(void *given)
{
    const struct relay_options *from = given;
    log_start("enclavectl", LOG_INFO);
    return from->query != NULL ? relay_query(from) : serve(from);
}

static const struct relay_options initial = {
    .connections = RELAY_CONNECTIONS,
    .connect_seconds = 5,
    .idle_seconds = 300,
    .drain_seconds = 10,
};

const struct cli_command command_relay = {
    .name = "relay",
    .summary = "carry an enclave's connections to KMS, and nowhere else",
    .synopsis = "--listen ADDRESS --destination HOST:PORT [OPTION...]\n"
                "       enclavectl relay --query ADDRESS",
    .about =
        "Runs on the parent and carries an enclave's connections to KMS as they are: TLS ends in\n"
        "the enclave. Leads nowhere but to the endpoints of KMS, port 443, and to what is allowed\n"
        "as well. Prints \"ready ADDRESS -> HOST:PORT\". SIGHUP reads the list again, SIGUSR1 "
        "logs\n"
        "counts, SIGTERM ends it.",
    .examples =
        "  enclavectl relay --listen vsock:any:8000 \\\n"
        "      --destination kms.eu-central-1.amazonaws.com:443\n"
        "  enclavectl relay --listen vsock:any:8000 --cid 16 \\\n"
        "      --status " RELAY_STATUS_ADDRESS " \\\n"
        "      --destination kms.eu-central-1.amazonaws.com:443\n"
        "  enclavectl relay --query " RELAY_STATUS_ADDRESS "\n"
        "  enclavectl relay --listen vsock:any:8000 --destination kms.us-east-1.amazonaws.com:443 "
        "\\\n"
        "      --allow-file /etc/nitro_enclaves/vsock-proxy.yaml\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
