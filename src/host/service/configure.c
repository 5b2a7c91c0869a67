/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl configure: credentials and the wrapped TSK, delivered. */
#include "host/service/configure.h"

#include "formats/json_print.h"
#include "host/command.h"
#include "host/credentials/credentials_find.h"
#include "host/report.h"

static const struct cli_option options[] = {
    OPTION_TO(struct configure),
    CLI_TEXT("wrapped-tsk-file", "FILE", struct configure, delivery.wrapped_tsk_file,
             "the wrapped TSK, as the AWS CLI printed it (default: $ENCRYPTED_TSK)"),
    CLI_TEXT("region", "REGION", struct configure, delivery.region,
             "the region, to be compared with the pinned key's"),
    CLI_TEXT("profile", "NAME", struct configure, profile,
             "the AWS profile to take credentials from"),
    CLI_TEXTS(
        "encryption-context", "NAME=VALUE", struct configure, delivery.context,
        delivery.context_count,
        "a pair of the context; all pairs given must be exactly the pinned context; repeatable",
        .check = context_check),
    CLI_FLAG("watch", struct configure, watch,
             "stay, and renew the credentials before they expire"),
    CLI_SECONDS("check", struct configure, check_ms, 1, SECONDS_MAX,
                "with --watch: the time between two looks at the service's state (default 15)",
                .with = "watch"),
    OPTION_TIMEOUT(struct configure),
    OPTION_JSON(struct configure),
};

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

static int run(void *given)
{
    const struct configure *configure = given;
    if (configure->watch)
        return configure_watch(configure);
    CREDENTIALS_AUTO credentials;
    CLIENT_AUTO client;
    struct error err = {0};
    credentials_init(&credentials);
    client_init(&client, configure->common.timeout_ms, FRAME_LIMIT, -1);
    if (!credentials_find(&credentials, configure->profile, -1, &err) ||
        !delivery_send(&configure->delivery, configure->common.to, &credentials, true, &client,
                       &err))
        return report_failure(&configure->common, &err);
    if (client_refused(&client))
        return report_refusal(&configure->common, &client.answer);
    return show(&configure->common, &credentials, &client);
}

static const struct configure initial = {
    .common = {.to = DEFAULT_ADDRESS, .timeout_ms = DELIVERY_TIMEOUT_MS},
    .check_ms = 15000,
};

static bool check(void *given, struct error *err)
{
    const struct configure *configure = given;
    return context_check_names(configure->delivery.context, configure->delivery.context_count,
                               strncmp, err);
}

const struct cli_command command_configure = {
    .name = "configure",
    .summary = "deliver AWS credentials and the wrapped session key",
    .synopsis = "[--to ADDRESS] [--wrapped-tsk-file FILE] [--profile NAME] [--watch]",
    .about =
        "Delivers AWS credentials, and the wrapped session key if one is given, and waits until\n"
        "KMS has unwrapped it. What KMS throttles or cannot serve is repeated within --timeout\n"
        "(90 seconds). Credentials are found as AWS's tools find them: environment, web identity,\n"
        "profile (roles, SSO, files, credential_process), container, instance metadata (IMDSv2).\n"
        "They are never put on a command line, into a log or into the environment of another\n"
        "program.",
    .examples = "  enclavectl configure --to vsock:16:5000 --wrapped-tsk-file tsk.b64\n"
                "  enclavectl configure --profile enclave --encryption-context app=payments\n"
                "  enclavectl configure --to vsock:16:5000 --wrapped-tsk-file tsk.b64 --watch\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .private_operands = true,
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
