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

static const struct cli_option options[] = {
    OPTION_TO(struct invoke),
    CLI_TEXT("mode", "A|B", struct invoke, mode, "the agent: A, B, or another that enclaved serves",
             .needed = true),
    OPTION_PAYLOAD(struct invoke),
    OPTION_PAYLOAD_FILE(struct invoke),
    OPTION_FRAME_LIMIT(struct invoke),
    OPTION_TIMEOUT(struct invoke),
    OPTION_JSON(struct invoke),
};
static const struct cli_option operand = OPERAND_PAYLOAD(struct invoke);

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

static bool check(void *given, struct error *err)
{
    return payload_check(&((const struct invoke *)given)->payload, err);
}

/* From how many digits on a payload is a sealed state, so that it needs no quotes. */
static size_t bare_hex(const char *mode)
{
    if (strcmp(mode, "A") == 0)
        return BARE_HEX_NEVER;
    return strcmp(mode, "B") == 0 ? 1 : BARE_HEX_SEALED;
}

static int run(void *given)
{
    const struct invoke *invoke = given;
    struct error err = {0};
    BUFFER_AUTO request;
    CLIENT_AUTO client;
    buffer_init(&request, invoke->frame_limit);
    client_init(&client, invoke->common.timeout_ms, invoke->frame_limit, -1);
    if (!request_build(&request, invoke->mode, &invoke->payload, bare_hex(invoke->mode), NULL,
                       &err) ||
        !client_connect(&client, invoke->common.to, &err) ||
        !client_ask(&client, buffer_bytes(&request), &err))
        return report_failure(&invoke->common, &err);
    if (client_refused(&client))
        return report_refusal(&invoke->common, &client.answer);
    return show(invoke, &client);
}

static const struct invoke initial = {
    .common = {.to = DEFAULT_ADDRESS, .timeout_ms = 30000},
    .frame_limit = FRAME_LIMIT,
};

const struct cli_command command_invoke = {
    .name = "invoke",
    .summary = "send one request to an agent",
    .synopsis = "--mode A|B [--to ADDRESS] [--payload JSON | --payload-file FILE | -]",
    .about = "Sends one request to an agent and prints the ciphertext that it answers with (with\n"
             "--json the whole answer). Agent A seals a new state around any JSON; Agent B opens,\n"
             "changes and reseals a ciphertext in hex, which needs no quotes here. Nor does a\n"
             "sealed state for an agent of your own.",
    .examples =
        "  enclavectl invoke --to tcp:127.0.0.1:5000 --mode A --payload '{\"amount\": 42}'\n"
        "  enclavectl invoke --mode A --payload-file order.json > sealed.hex\n"
        "  enclavectl invoke --mode B - < sealed.hex\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .operand = &operand,
    .private_operands = true,
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
