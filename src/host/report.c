/* SPDX-License-Identifier: Apache-2.0 */
#include "host/report.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "codec/json_writer.h"
#include "host/kms_hints.h"
#include "system/file.h"

#define TEXT_LIMIT (1u << 20) /* longest text about one failure, bytes */

/* The exit code for a failure on this side of the wire; all others are EXIT_LOCAL. */
static const struct {
    enum error_code code;
    enum exit_code exit;
} exits[] = {
    {ERROR_NONE, EXIT_OK},
    {ERROR_USAGE, EXIT_USAGE},
    {ERROR_ADDRESS, EXIT_USAGE},
    {ERROR_NOT_JSON, EXIT_USAGE},
    {ERROR_DUPLICATE_MEMBER, EXIT_USAGE},
    {ERROR_TOO_DEEP, EXIT_USAGE},
    {ERROR_NETWORK, EXIT_NETWORK},
    {ERROR_NO_VSOCK, EXIT_NETWORK},
    {ERROR_CLOSED, EXIT_NETWORK},
    {ERROR_RELAY, EXIT_NETWORK},
    {ERROR_TLS, EXIT_NETWORK},
    {ERROR_DEADLINE, EXIT_TIMEOUT},
    {ERROR_TIMEOUT, EXIT_TIMEOUT},
    {ERROR_FORMAT, EXIT_ANSWER},
    {ERROR_FRAME_TOO_LARGE, EXIT_ANSWER},
    {ERROR_FRAME_EMPTY, EXIT_ANSWER},
    {ERROR_FRAME_TRUNCATED, EXIT_ANSWER},
    {ERROR_KMS_RESPONSE, EXIT_ANSWER},
    {ERROR_KMS_DENIED, EXIT_REFUSED},
    {ERROR_REGION_MISMATCH, EXIT_REFUSED},
    {ERROR_CONTEXT_MISMATCH, EXIT_REFUSED},
};

static enum exit_code exit_of(enum error_code code)
{
    for (size_t i = 0; i < ARRAY_LEN(exits); i++)
        if (exits[i].code == code)
            return exits[i].exit;
    return EXIT_LOCAL;
}

/* Codes of the wire (base/error.h) for which an operator can do something. */
static const struct {
    const char *name;
    const char *remedy;
} remedies[] = {
    {"network", "check that enclaved runs and that --to is its address"},
    {"closed", "check that enclaved listens there; look at its log"},
    {"no_vsock",
     "load the kernel module vsock; enclaved-dev also takes tcp:HOST:PORT and unix:PATH"},
    {"deadline", "give a longer --timeout, or see enclavectl doctor"},
    {"bad_format", "check that enclaved, and not another program, listens at that address"},
    {"frame_truncated", "look at the log of enclaved"},
    {"frame_too_large", "send less at once, or raise limits.frame_bytes"},
    {"not_json", "a payload is JSON: quote a text as '\"text\"'"},
    {"not_configured", "run enclavectl configure"},
    {"missing_payload", "give --payload JSON, --payload-file FILE, or - for standard input"},
    {"unknown_mode", "enclaved serves modes A and B"},
    {"authentication_failed", "the state must be unchanged, and sealed under this session key"},
    {"response_too_large", "send less, or raise limits.frame_bytes: a sealed state is answered in "
                           "hex, two digits for each byte"},
    {"key_exhausted", "run enclavectl configure with a new wrapped TSK"},
    {"busy", "try again"},
    {"too_many_connections", "try again, or raise limits.connections"},
    {"shutting_down", "wait until enclaved has started again"},
    {"no_credentials", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or an "
                       "instance role"},
    {"no_wrapped_tsk", "give --wrapped-tsk-file FILE, or ENCRYPTED_TSK, with what aws kms "
                       "generate-data-key-without-plaintext printed"},
    {"wrapped_tsk_not_pinned",
     "deliver the wrapped TSK that the image pins, or put its SHA-256 into "
     "kms.wrapped_tsk_sha256 and build the image anew"},
    {"credentials_expired", "renew them at their source, then run enclavectl configure; with "
                            "--watch it renews them in time"},
    {"region_mismatch", "leave --region out, or give the region of the pinned key"},
    {"encryption_context_mismatch", "leave --encryption-context out, or give the pinned one"},
    {"key_mismatch", "wrap the TSK under the KMS key that the configuration pins"},
    {"nsm_failed", "run enclavectl doctor inside the enclave"},
    {"relay_unreachable", "on the parent: enclavectl relay --listen vsock:any:8000 --destination "
                          "kms.REGION.amazonaws.com:443"},
    {"tls_failed",
     "run enclavectl doctor, which checks the relay's target, the roots and the clock"},
    {"kms_denied", "see enclavectl doctor: it shows which condition failed"},
    {"kms_throttled", "try again"},
    {"kms_unavailable", "try again"},
    {"tsk_length", "wrap a key of 32 bytes (AES_256)"},
};

const char *remedy_for_name(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(remedies); i++)
        if (strcmp(remedies[i].name, name) == 0)
            return remedies[i].remedy;
    return NULL;
}

int report_print(const struct common *common, struct bytes text)
{
    if (file_write_all(STDOUT_FILENO, text))
        return EXIT_OK;
    if (errno == EPIPE)
        return EXIT_LOCAL; /* `| head` has seen enough */
    struct common quiet = *common;
    quiet.json = false; /* standard output is what failed */
    struct error err;
    error_set_errno(&err, ERROR_SYSTEM, "standard output cannot be written");
    return report_failure_with(&quiet, &err, NULL);
}

/* Writes a line at once, so that lines of processes that share the terminal do not mix. */
static void put_line(struct bytes line)
{
    BUFFER_AUTO out;
    buffer_init(&out, (size_t)2 * TEXT_LIMIT);
    buffer_text(&out, "enclavectl: ");
    append_escaped(&out, line);
    buffer_byte(&out, '\n');
    if (!out.failed && !file_write_all(STDERR_FILENO, buffer_bytes(&out)))
        return; /* there is nowhere to report that */
}

void report_note(const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (len > 0)
        put_line(bytes_of(line, (size_t)len < sizeof line ? (size_t)len : sizeof line - 1));
}

/* The answer of --json to a failure, which is reported on standard error, too. */
static void put_answer(struct bytes text)
{
    if (!file_write_all(STDOUT_FILENO, text) && errno != EPIPE)
        report_note("standard output cannot be written");
}

int report_failure_with(const struct common *common, const struct error *err, const char *remedy)
{
    const char *cause = err->cause[0] != '\0' ? err->cause : error_text(err->code);
    if (common->json) {
        BUFFER_AUTO out;
        buffer_init(&out, TEXT_LIMIT);
        struct json_writer w = json_writer(&out);
        json_object(&w, NULL);
        json_text(&w, "status", "error");
        json_text(&w, "code", error_name(err->code));
        json_text(&w, "error", error_text(err->code));
        json_text(&w, "cause", cause);
        if (remedy != NULL)
            json_text(&w, "remedy", remedy);
        json_end(&w);
        buffer_byte(&out, '\n');
        if (!out.failed)
            put_answer(buffer_bytes(&out));
    }
    report_note("%s%s%s", cause, remedy != NULL ? "; " : "", remedy != NULL ? remedy : "");
    return (int)exit_of(err->code);
}

int report_file_failure(const struct common *common, const struct error *err, const char *remedy)
{
    int code = report_failure_with(common, err, remedy);
    return err->code == ERROR_FORMAT ? EXIT_LOCAL : code;
}

int report_failure(const struct common *common, const struct error *err)
{
    return report_failure_with(common, err, remedy_for_name(error_name(err->code)));
}

/* Appends KMS's own message, if it has one. */
static void append_kms_message(struct buffer *line, const struct json *answer)
{
    json_value kms = json_member(answer, 0, "kms");
    json_value message = kms != JSON_NONE ? json_member(answer, kms, "message") : JSON_NONE;
    if (message == JSON_NONE || json_string_is(answer, message, ""))
        return;
    buffer_text(line, ": ");
    append_json_text(line, answer, message);
}

/* Appends why it failed and what to do, if what KMS or OpenSSL said gives a hint. */
static bool append_hint(struct buffer *line, const struct json *answer, const char *code)
{
    BUFFER_AUTO text;
    buffer_init(&text, TEXT_LIMIT);
    json_value kms = json_member(answer, 0, "kms");
    if (kms != JSON_NONE) {
        append_json_text(&text, answer, json_member(answer, kms, "type"));
        buffer_text(&text, ": ");
        append_json_text(&text, answer, json_member(answer, kms, "message"));
    } else {
        append_json_text(&text, answer, json_member(answer, 0, "cause"));
    }
    buffer_byte(&text, 0);
    const struct kms_hint *hint = text.failed ? NULL : kms_hint(code, (const char *)text.at);
    if (hint != NULL)
        buffer_printf(line, "; %s: %s", hint->why, hint->remedy);
    return hint != NULL;
}

int report_refusal(const struct common *common, const struct json *answer)
{
    BUFFER_AUTO line;
    BUFFER_AUTO code;
    buffer_init(&line, TEXT_LIMIT);
    buffer_init(&code, TEXT_LIMIT);
    json_value cause = json_member(answer, 0, "cause");
    append_json_text(&code, answer, json_member(answer, 0, "code"));
    buffer_byte(&code, 0);
    if (common->json) {
        buffer_append(&line, json_raw(answer, 0));
        buffer_byte(&line, '\n');
        put_answer(buffer_bytes(&line));
        buffer_reset(&line);
    }
    buffer_text(&line, "enclaved refused: ");
    append_json_text(&line, answer, json_member(answer, 0, "error"));
    buffer_printf(&line, " (%s)", code.failed ? "-" : (const char *)code.at);
    if (cause != JSON_NONE) {
        buffer_text(&line, ": ");
        append_json_text(&line, answer, cause);
    }
    append_kms_message(&line, answer);
    const char *name = code.failed ? "" : (const char *)code.at;
    const char *remedy = remedy_for_name(name);
    if (!append_hint(&line, answer, name) && remedy != NULL)
        buffer_printf(&line, "; %s", remedy);
    put_line(buffer_bytes(&line));
    return EXIT_REFUSED;
}
