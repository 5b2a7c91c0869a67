/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl configure: credentials and the wrapped TSK, delivered. */
#include "host/service/configure.h"

#include <stdlib.h>

#include "base/base64.h"
#include "formats/json_print.h"
#include "host/command.h"
#include "host/report.h"
#include "system/file.h"

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

static bool take_context(struct configure *configure, const char *value, struct error *err)
{
    if (strchr(value, '=') == NULL || value[0] == '=')
        return error_set(err, ERROR_USAGE, "--encryption-context takes NAME=VALUE");
    if (configure->context_count == CONFIGURE_CONTEXT_MAX)
        return error_set(err, ERROR_USAGE, "at most %d pairs of encryption context",
                         CONFIGURE_CONTEXT_MAX);
    configure->context[configure->context_count++] = value;
    return true;
}

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct configure *configure = context;
    int64_t seconds = 0;
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument: configure takes options only");
    if (strcmp(name, "encryption-context") == 0)
        return take_context(configure, value, err);
    if (strcmp(name, "check") == 0) {
        if (!options_integer("--check", value, 1, OPTIONS_SECONDS_MAX, &seconds, err))
            return false;
        configure->check_ms = seconds * 1000;
    } else if (strcmp(name, "wrapped-tsk-file") == 0) {
        configure->wrapped_tsk_file = value;
    } else if (strcmp(name, "region") == 0) {
        configure->region = value;
    } else if (strcmp(name, "profile") == 0) {
        configure->profile = value;
    } else {
        configure->watch = true;
    }
    return true;
}

/* Removes the line ends that `aws … --output text | base64` leaves. */
static void squeeze(struct buffer *text)
{
    size_t kept = 0;
    for (size_t i = 0; i < text->len; i++)
        if (strchr(" \t\r\n", text->at[i]) == NULL || text->at[i] == 0)
            text->at[kept++] = text->at[i];
    text->len = kept;
}

/* Appends the wrapped TSK in base64, whether given so or as the bytes of a CiphertextBlob. */
static bool append_wrapped(struct buffer *out, const struct buffer *given, struct error *err)
{
    BUFFER_AUTO text;
    BUFFER_AUTO blob;
    buffer_init(&text, (size_t)2 * WRAPPED_TSK_MAX);
    buffer_init(&blob, WRAPPED_TSK_MAX);
    buffer_append(&text, buffer_bytes(given));
    if (!text.failed)
        squeeze(&text);
    if (text.failed || text.len == 0)
        return error_set(err, ERROR_NO_WRAPPED_TSK, "the wrapped TSK is %s",
                         text.failed ? "too long" : "empty");
    if (base64_decode(&blob, buffer_bytes(&text))) {
        buffer_append(out, buffer_bytes(&text));
        return true;
    }
    if (given->len > WRAPPED_TSK_MAX)
        return error_set(err, ERROR_NO_WRAPPED_TSK, "the wrapped TSK is longer than %d bytes",
                         WRAPPED_TSK_MAX);
    base64_encode(out, buffer_bytes(given));
    return true;
}

static bool put_wrapped(const struct configure *configure, struct json_writer *w, struct error *err)
{
    const char *variable = getenv("ENCRYPTED_TSK");
    BUFFER_AUTO given;
    BUFFER_AUTO encoded;
    buffer_init(&given, (size_t)2 * WRAPPED_TSK_MAX);
    buffer_init(&encoded, (size_t)3 * WRAPPED_TSK_MAX);
    if (configure->wrapped_tsk_file != NULL) {
        if (!file_read(configure->wrapped_tsk_file, &given, err))
            return false;
    } else if (variable != NULL && variable[0] != '\0') {
        buffer_text(&given, variable);
    } else {
        return true;
    }
    if (given.failed)
        return error_set(err, ERROR_NO_WRAPPED_TSK, "the wrapped TSK is too long");
    if (!append_wrapped(&encoded, &given, err))
        return false;
    json_text_bytes(w, "wrapped_tsk", buffer_bytes(&encoded));
    return true;
}

static void put_context(const struct configure *configure, struct json_writer *w)
{
    if (configure->context_count == 0)
        return;
    json_object(w, "encryption_context");
    for (size_t i = 0; i < configure->context_count; i++) {
        struct bytes pair = bytes_text(configure->context[i]);
        size_t equals = (size_t)(strchr(configure->context[i], '=') - configure->context[i]);
        json_text_named(w, bytes_of(pair.at, equals), bytes_from(pair, equals + 1));
    }
    json_end(w);
}

bool configure_build(const struct configure *configure, const struct credentials *credentials,
                     bool whole, struct buffer *out, struct error *err)
{
    struct buffer secret;
    buffer_init_secret(&secret, CONFIGURE_REQUEST_LIMIT);
    credentials_put(&secret, credentials);
    buffer_reset(out);
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "op", "configure");
    json_verbatim(&w, "credentials", buffer_bytes(&secret));
    bool good = !secret.failed;
    buffer_clear(&secret);
    if (whole && good) {
        if (configure->region != NULL)
            json_text(&w, "region", configure->region);
        if (!put_wrapped(configure, &w, err))
            return false;
        put_context(configure, &w);
    }
    json_end(&w);
    if (!good || out->failed)
        return error_set(err, ERROR_USAGE, "the request would be longer than %d bytes",
                         CONFIGURE_REQUEST_LIMIT);
    return true;
}

bool configure_send(const struct configure *configure, const struct credentials *credentials,
                    bool whole, struct client *client, struct error *err)
{
    int stop_fd = client->stop_fd;
    struct buffer request;
    buffer_init_secret(&request, CONFIGURE_REQUEST_LIMIT);
    client_clear(client);
    client_init(client, configure->common.timeout_ms, FRAME_LIMIT, stop_fd);
    bool good = configure_build(configure, credentials, whole, &request, err) &&
                client_connect(client, configure->common.to, err) &&
                client_ask(client, buffer_bytes(&request), err);
    buffer_clear(&request);
    return good;
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
    struct configure configure = {.common.timeout_ms = CONFIGURE_TIMEOUT_MS, .check_ms = 15000};
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
        !configure_send(&configure, &credentials, true, &client, &err))
        return report_failure(&configure.common, &err);
    if (client_refused(&client))
        return report_refusal(&configure.common, &client.answer);
    return show(&configure.common, &credentials, &client);
}
