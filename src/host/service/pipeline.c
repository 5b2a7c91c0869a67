/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl pipeline: Agent A, then Agent B on the state that A sealed, as in the reference
 * program. */
#include "codec/json_writer.h"
#include "host/command.h"
#include "host/report.h"
#include "host/service/request.h"

struct pipeline {
    struct common common;
    struct payload_source payload;
    size_t frame_limit;
};

static const struct cli_option options[] = {
    OPTION_TO(struct pipeline),           OPTION_PAYLOAD(struct pipeline),
    OPTION_PAYLOAD_FILE(struct pipeline), OPTION_FRAME_LIMIT(struct pipeline),
    OPTION_TIMEOUT(struct pipeline),      OPTION_JSON(struct pipeline),
};
static const struct cli_option operand = OPERAND_PAYLOAD(struct pipeline);

static int show(const struct common *common, struct bytes sealed_a, struct bytes sealed_b)
{
    BUFFER_AUTO out;
    buffer_init(&out, sealed_a.len + sealed_b.len + 128);
    if (common->json) {
        struct json_writer w = json_writer(&out);
        json_object(&w, NULL);
        json_text(&w, "status", "success");
        json_text_bytes(&w, "agent_a", sealed_a);
        json_text_bytes(&w, "agent_b", sealed_b);
        json_end(&w);
    } else {
        buffer_text(&out, "A ");
        buffer_append(&out, sealed_a);
        buffer_text(&out, "\nB ");
        buffer_append(&out, sealed_b);
    }
    buffer_byte(&out, '\n');
    return report_print(common, buffer_bytes(&out));
}

/* Asks one agent. True if it answered with a ciphertext, which is appended to sealed. */
static bool ask(const struct common *common, struct client *client, const struct buffer *request,
                struct buffer *sealed, int *ended)
{
    struct error err = {0};
    if (!client_ask(client, buffer_bytes(request), &err)) {
        *ended = report_failure(common, &err);
        return false;
    }
    if (client_refused(client)) {
        *ended = report_refusal(common, &client->answer);
        return false;
    }
    if (!request_ciphertext(client, sealed, &err)) {
        *ended = report_failure(common, &err);
        return false;
    }
    return true;
}

static bool check(void *given, struct error *err)
{
    return payload_check(&((const struct pipeline *)given)->payload, err);
}

static int run(void *given)
{
    const struct pipeline *pipeline = given;
    int ended = EXIT_OK;
    BUFFER_AUTO request;
    BUFFER_AUTO sealed_a;
    BUFFER_AUTO sealed_b;
    CLIENT_AUTO client;
    struct error err = {0};
    buffer_init(&request, pipeline->frame_limit);
    buffer_init(&sealed_a, pipeline->frame_limit);
    buffer_init(&sealed_b, pipeline->frame_limit);
    client_init(&client, pipeline->common.timeout_ms, pipeline->frame_limit, -1);
    if (!request_build(&request, "A", &pipeline->payload, BARE_HEX_NEVER, "null", &err) ||
        !client_connect(&client, pipeline->common.to, &err))
        return report_failure(&pipeline->common, &err);
    if (!ask(&pipeline->common, &client, &request, &sealed_a, &ended))
        return ended;

    buffer_reset(&request);
    struct json_writer w = json_writer(&request);
    json_object(&w, NULL);
    json_text(&w, "mode", "B");
    json_text_bytes(&w, "payload", buffer_bytes(&sealed_a));
    json_end(&w);
    if (request.failed) {
        error_set(&err, ERROR_USAGE, "the state that Agent A sealed exceeds the frame limit");
        return report_failure_with(&pipeline->common, &err, "send a smaller payload");
    }
    if (!ask(&pipeline->common, &client, &request, &sealed_b, &ended))
        return ended;
    return show(&pipeline->common, buffer_bytes(&sealed_a), buffer_bytes(&sealed_b));
}

static const struct pipeline initial = {
    .common = {.to = DEFAULT_ADDRESS, .timeout_ms = 30000},
    .frame_limit = FRAME_LIMIT,
};

const struct cli_command command_pipeline = {
    .name = "pipeline",
    .summary = "Agent A, then Agent B on what it sealed",
    .synopsis = "[--to ADDRESS] [--payload JSON | --payload-file FILE | -]",
    .about =
        "Has Agent A seal the initial state around the payload (null if none is given), hands\n"
        "the ciphertext to Agent B on the same connection, and prints both ciphertexts.",
    .examples = "  enclavectl pipeline --to tcp:127.0.0.1:5000 --payload '{\"amount\": 42}'\n"
                "  enclavectl pipeline --to vsock:16:5000 --payload-file order.json --json\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .operand = &operand,
    .private_operands = true,
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
