/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl health: the state of enclaved. */
#include "codec/json_writer.h"
#include "host/client/client.h"
#include "host/command.h"
#include "host/report.h"

struct health {
    struct common common;
};

static const struct cli_option options[] = {
    OPTION_TO(struct health),
    OPTION_TIMEOUT(struct health),
    OPTION_JSON(struct health),
};

/* A row for a member that the answer has. */
static void append_known(struct buffer *out, const char *label, const struct json *doc,
                         const char *name)
{
    json_value v = json_member(doc, 0, name);
    if (v != JSON_NONE && json_type(doc, v) != JSON_NULL)
        append_row(out, label, doc, v);
}

/* How many connections have ended, by reason; reasons that did not occur are left out. */
static void append_ended(struct buffer *out, const struct json *doc)
{
    json_value ended = json_member(doc, 0, "ended");
    bool any = false;
    if (ended == JSON_NONE || json_type(doc, ended) != JSON_OBJECT)
        return;
    for (json_value name = json_first(doc, ended); name != JSON_NONE;
         name = json_next(doc, ended, name)) {
        if (bytes_equal_text(json_raw(doc, name + 1), "0"))
            continue;
        if (any)
            buffer_text(out, ", ");
        else
            buffer_printf(out, "%-20s ", "ended");
        any = true;
        append_json_text(out, doc, name);
        buffer_byte(out, ' ');
        append_json_value(out, doc, name + 1);
    }
    if (any)
        buffer_byte(out, '\n');
}

static void append_last_error(struct buffer *out, const struct json *doc)
{
    json_value last = json_member(doc, 0, "last_error");
    if (last == JSON_NONE || json_type(doc, last) != JSON_OBJECT)
        return;
    json_value cause = json_member(doc, last, "cause");
    buffer_printf(out, "%-20s ", "last error");
    append_json_text(out, doc, json_member(doc, last, "code"));
    buffer_text(out, ": ");
    append_json_text(out, doc, json_member(doc, last, "error"));
    if (cause != JSON_NONE && json_type(doc, cause) == JSON_STRING) {
        buffer_text(out, ": ");
        append_json_text(out, doc, cause);
    }
    buffer_byte(out, '\n');
}

static void append_state(struct buffer *out, const struct json *doc)
{
    json_value state = json_member(doc, 0, "state");
    BUFFER_AUTO text;
    buffer_init(&text, 4096);
    append_json_text(&text, doc, state);
    buffer_byte(&text, 0);
    buffer_printf(out, "%-20s ", "state");
    bool ready = json_string_is(doc, state, "ready");
    append_toned(out, ready ? TONE_GOOD : TONE_WARNING, text.failed ? "-" : (const char *)text.at,
                 report_colour());
    buffer_byte(out, '\n');
}

static void append_all(struct buffer *out, const struct json *doc)
{
    static const struct {
        const char *label, *name;
    } rows[] = {
        {"version", "version"},
        {"uptime (s)", "uptime_seconds"},
        {"connections", "connections"},
        {"requests", "requests"},
        {"errors", "errors"},
        {"refused connections", "refused_connections"},
        {"refused peers", "refused_peers"},
        {"KMS key", "kms_key"},
        {"encryption context", "encryption_context"},
        {"credentials expire", "credentials_expire"},
    };
    append_state(out, doc);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        append_known(out, rows[i].label, doc, rows[i].name);
    append_ended(out, doc);
    append_last_error(out, doc);
}

static int run(void *given)
{
    const struct common *common = &((const struct health *)given)->common;
    BUFFER_AUTO out;
    CLIENT_AUTO client;
    struct error err = {0};
    buffer_init(&out, (size_t)2 * FRAME_LIMIT);
    client_init(&client, common->timeout_ms, FRAME_LIMIT, -1);
    if (!client_connect(&client, common->to, &err) ||
        !client_ask(&client, bytes_text("{\"op\": \"health\"}"), &err))
        return report_failure(common, &err);
    if (client_refused(&client))
        return report_refusal(common, &client.answer);
    json_value state = json_member(&client.answer, 0, "state");
    if (state == JSON_NONE || json_type(&client.answer, state) != JSON_STRING) {
        error_set(&err, ERROR_FORMAT, "the answer has no state");
        return report_failure(common, &err);
    }
    if (common->json) {
        buffer_append(&out, buffer_bytes(&client.text));
        buffer_byte(&out, '\n');
    } else {
        append_all(&out, &client.answer);
    }
    return report_print(common, buffer_bytes(&out));
}

static const struct health initial = {.common = {.to = DEFAULT_ADDRESS, .timeout_ms = 10000}};

const struct cli_command command_health = {
    .name = "health",
    .summary = "show the state of enclaved",
    .synopsis = "[--to ADDRESS]",
    .about =
        "Shows the state of enclaved (starting, awaiting_configuration, ready), its counts, the\n"
        "pinned KMS key and the last failure of the session key, if any.",
    .examples = "  enclavectl health --to tcp:127.0.0.1:5000\n"
                "  enclavectl health --to vsock:16:5000 --json\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof initial,
    .initial = &initial,
    .run = run,
};
