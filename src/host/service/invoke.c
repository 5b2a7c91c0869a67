/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl invoke: one request to an agent. */
#include "host/command.h"
#include "host/report.h"
#include "host/service/request.h"

struct invoke {
    struct common common;
    const char *mode;
    struct payload_source payload;
    size_t frame_limit;
};

static const struct option_spec options[] = {
    OPTION_TO,          {"mode", "MODE", "the agent: A, B, or another that enclaved serves"},
    OPTION_PAYLOAD,     OPTION_PAYLOAD_FILE,
    OPTION_FRAME_LIMIT, OPTION_TIMEOUT,
    OPTION_JSON,        OPTION_HELP,
};

static const struct command_help help = {
    .name = "invoke",
    .synopsis = "--mode A|B [--to ADDRESS] [--payload JSON | --payload-file FILE | -]",
    .about = "Sends one request to an agent and prints the ciphertext that it answers with (with\n"
             "--json the whole answer). Agent A seals a new state around any JSON; Agent B opens,\n"
             "changes and reseals a ciphertext in hex, which needs no quotes here.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples =
        "  enclavectl invoke --to tcp:127.0.0.1:5000 --mode A --payload '{\"amount\": 42}'\n"
        "  enclavectl invoke --mode A --payload-file order.json > sealed.hex\n"
        "  enclavectl invoke --mode B - < sealed.hex\n",
};

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct invoke *invoke = context;
    bool known;
    if (!payload_option(&invoke->payload, name, value, &known, err))
        return false;
    if (known)
        return true;
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
    if (strcmp(name, "frame-limit") == 0)
        return frame_limit_option(value, &invoke->frame_limit, err);
    invoke->mode = value;
    return true;
}

static int show(const struct invoke *invoke, const struct client *client)
{
    BUFFER_AUTO out;
    struct error err = {0};
    buffer_init(&out, 2 * client->frame_limit);
    if (invoke->common.json)
        buffer_append(&out, buffer_bytes(&client->text));
    else if (!request_ciphertext(client, &out, &err))
        return report_failure(&invoke->common, &err);
    buffer_byte(&out, '\n');
    return report_print(&invoke->common, buffer_bytes(&out));
}

int command_invoke(int argc, char **argv)
{
    struct invoke invoke = {.common.timeout_ms = 30000, .frame_limit = FRAME_LIMIT};
    int ended = options_parse(&help, argc, argv, &invoke.common, take, &invoke);
    if (ended != OPTIONS_GO_ON)
        return ended;
    struct error err = {0};
    if (invoke.mode == NULL) {
        error_set(&err, ERROR_USAGE, "invoke needs --mode");
        return report_failure_with(&invoke.common, &err, "give --mode A or --mode B");
    }
    BUFFER_AUTO request;
    CLIENT_AUTO client;
    buffer_init(&request, invoke.frame_limit);
    client_init(&client, invoke.common.timeout_ms, invoke.frame_limit, -1);
    bool bare_hex = strcmp(invoke.mode, "B") == 0;
    if (!request_build(&request, invoke.mode, &invoke.payload, bare_hex, NULL, &err) ||
        !client_connect(&client, invoke.common.to, &err) ||
        !client_ask(&client, buffer_bytes(&request), &err))
        return report_failure(&invoke.common, &err);
    if (client_refused(&client))
        return report_refusal(&invoke.common, &client.answer);
    return show(&invoke, &client);
}
