/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl configure: credentials and the wrapped TSK, delivered. */
#include "host/service/configure.h"

#include "formats/json_print.h"
#include "host/command.h"
#include "host/credentials/credentials_find.h"
#include "host/report.h"

static const struct option_spec options[] = {
    OPTION_TO,
    {"wrapped-tsk-file", "FILE", "the wrapped TSK, base64 or as it is (default: ENCRYPTED_TSK)"},
    {"region", "REGION", "the region, to be compared with the pinned key's"},
    {"profile", "NAME", "the AWS profile to take credentials from"},
    {"encryption-context", "K=V", "a pair, to be compared with the pinned context; repeatable"},
    {"watch", NULL, "stay, and renew the credentials before they expire"},
    {"check", "SECONDS", "with --watch: ask for the service's state that often (default 15)"},
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct command_help help = {
    .name = "configure",
    .synopsis = "[--to ADDRESS] [--wrapped-tsk-file FILE] [--profile NAME] [--watch]",
    .about =
        "Delivers AWS credentials, and the wrapped session key if one is given, and waits until "
        "KMS\n"
        "has unwrapped it. Credentials are found as AWS's tools find them: environment, profile\n"
        "(files, credential_process), container, instance metadata (IMDSv2). They are never put on "
        "a\n"
        "command line, into a log or into the environment of another program.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "  enclavectl configure --to vsock:16:5000 --wrapped-tsk-file tsk.b64\n"
                "  enclavectl configure --profile enclave --encryption-context app=payments\n"
                "  enclavectl configure --to vsock:16:5000 --wrapped-tsk-file tsk.b64 --watch\n",
};

static bool take_context(struct delivery *delivery, const char *value, struct error *err)
{
    if (!context_check("--encryption-context", value, err))
        return false;
    if (delivery->context_count == CONTEXT_PAIRS_MAX)
        return error_set(err, ERROR_USAGE, "at most %d pairs of encryption context",
                         CONTEXT_PAIRS_MAX);
    delivery->context[delivery->context_count++] = value;
    return true;
}

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct configure *configure = context;
    int64_t seconds = 0;
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument: configure takes options only");
    if (strcmp(name, "encryption-context") == 0)
        return take_context(&configure->delivery, value, err);
    if (strcmp(name, "check") == 0) {
        if (!options_integer("--check", value, 1, OPTIONS_SECONDS_MAX, &seconds, err))
            return false;
        configure->check_ms = seconds * 1000;
    } else if (strcmp(name, "wrapped-tsk-file") == 0) {
        configure->delivery.wrapped_tsk_file = value;
    } else if (strcmp(name, "region") == 0) {
        configure->delivery.region = value;
    } else if (strcmp(name, "profile") == 0) {
        configure->profile = value;
    } else {
        configure->watch = true;
    }
    return true;
}

static int show(const struct common *common, const struct credentials *credentials,
                const struct client *client)
{
    BUFFER_AUTO out;
    const struct json *answer = &client->answer;
    buffer_init(&out, (size_t)2 * FRAME_LIMIT);
    if (common->json) {
        buffer_append(&out, buffer_bytes(&client->text));
    } else {
        json_value rotated = json_member(answer, 0, "rotated");
        append_json_text(&out, answer, json_member(answer, 0, "state"));
        buffer_text(&out, ": ");
        append_json_text(&out, answer, json_member(answer, 0, "key_id"));
        if (rotated != JSON_NONE && json_type(answer, rotated) == JSON_TRUE)
            buffer_text(&out, ", session key rotated");
        buffer_text(&out, ", credentials from ");
        append_escaped(&out, bytes_text(credentials->source));
        if (credentials->expires_us != CREDENTIALS_NEVER_EXPIRE) {
            char when[ISO_Z_SIZE];
            iso_z(when, credentials->expires_us);
            buffer_printf(&out, " expire at %s", when);
        }
    }
    buffer_byte(&out, '\n');
    return report_print(common, buffer_bytes(&out));
}

int command_configure(int argc, char **argv)
{
    struct configure configure = {.common.timeout_ms = DELIVERY_TIMEOUT_MS, .check_ms = 15000};
    int ended = options_parse(&help, argc, argv, &configure.common, take, &configure);
    if (ended != OPTIONS_GO_ON)
        return ended;
    if (configure.watch)
        return configure_watch(&configure);
    CREDENTIALS_AUTO credentials;
    CLIENT_AUTO client;
    struct error err = {0};
    credentials_init(&credentials);
    client_init(&client, configure.common.timeout_ms, FRAME_LIMIT, -1);
    if (!credentials_find(&credentials, configure.profile, -1, &err) ||
        !delivery_send(&configure.delivery, configure.common.to, &credentials, true, &client, &err))
        return report_failure(&configure.common, &err);
    if (client_refused(&client))
        return report_refusal(&configure.common, &client.answer);
    return show(&configure.common, &credentials, &client);
}
