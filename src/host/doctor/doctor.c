/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl doctor: what is wrong, why, and what to do about it. */
#include "host/doctor/doctor.h"

#include <stdarg.h>
#include <stdio.h>

#include "codec/json_writer.h"
#include "host/command.h"
#include "host/report.h"

static const struct option_spec options[] = {
    {"to", "ADDRESS", "ask the enclaved that listens there"},
    {"relay", "ADDRESS", "try the relay to KMS"},
    {"endpoint", "HOST", "the name of KMS behind the relay (default: from the pinned key)"},
    {"roots", "FILE", "the trusted roots for it (default: this system's)"},
    {"policy", "FILE", "a key policy, to be compared with --pcrs, or with what runs (--to)"},
    {"pcrs", "FILE", "measurements as nitro-cli build-enclave prints them"},
    {"principal", "ARN", "who asks, for --policy (default: the first the policy allows)"},
    {"encryption-context", "K=V", "a pair of the encryption context, for --policy; repeatable"},
    {"root", "DIR", "look at DIR/dev and DIR/sys instead of /dev and /sys"},
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_HELP,
};

static const struct command_help help = {
    .name = "doctor",
    .synopsis = "[--to ADDRESS] [--relay ADDRESS] [--policy FILE [--pcrs FILE]]",
    .about =
        "Checks what confidential computing on Nitro Enclaves hangs on: the NSM device, AF_VSOCK,\n"
        "the clock; with --to (or ENCLAVED_ADDRESS) the state of enclaved and why KMS refused;\n"
        "with --relay the way to KMS; with --policy, and --pcrs or --to, which condition of a key\n"
        "policy fails. Each check is ok, warn or fail, with cause and remedy. Exit code 1 if one "
        "failed.",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .examples = "  enclavectl doctor\n"
                "  enclavectl doctor --to vsock:16:5000 --relay tcp:127.0.0.1:8000\n"
                "  enclavectl doctor --to vsock:16:5000 --policy policy.json\n"
                "  enclavectl doctor --policy policy.json --pcrs measurements.json --json\n",
};

void doctor_add(struct doctor *doctor, const char *name, enum check_result result,
                const char *remedy, const char *cause, ...)
{
    if (doctor->count == CHECKS_MAX)
        return;
    struct check *check = &doctor->checks[doctor->count++];
    check->result = result;
    snprintf(check->name, sizeof check->name, "%s", name);
    snprintf(check->remedy, sizeof check->remedy, "%s", remedy != NULL ? remedy : "");
    va_list args;
    va_start(args, cause);
    if (vsnprintf(check->cause, sizeof check->cause, cause, args) < 0)
        check->cause[0] = '\0';
    va_end(args);
}

static bool take(void *context, const char *name, const char *value, struct error *err)
{
    struct doctor *doctor = context;
    const struct {
        const char *name;
        const char **place;
    } places[] = {
        {"relay", &doctor->relay}, {"endpoint", &doctor->endpoint},
        {"roots", &doctor->roots}, {"policy", &doctor->policy},
        {"pcrs", &doctor->pcrs},   {"principal", &doctor->principal},
        {"root", &doctor->root},
    };
    if (name == NULL)
        return error_set(err, ERROR_USAGE, "unexpected argument %.60s", value);
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        if (strcmp(name, places[i].name) == 0) {
            *places[i].place = value;
            return true;
        }
    }
    if (!context_check("--encryption-context", value, err))
        return false;
    if (doctor->context_count == CONTEXT_PAIRS_MAX)
        return error_set(err, ERROR_USAGE, "at most %d pairs of encryption context",
                         CONTEXT_PAIRS_MAX);
    doctor->context[doctor->context_count++] = value;
    return true;
}

static const char *const result_names[] = {"ok", "warn", "fail"};
static const enum tone result_tones[] = {TONE_GOOD, TONE_WARNING, TONE_BAD};

static void put_table(const struct doctor *doctor, struct buffer *out)
{
    bool colour = report_colour();
    for (size_t i = 0; i < doctor->count; i++) {
        const struct check *check = &doctor->checks[i];
        char padded[8];
        snprintf(padded, sizeof padded, "%-5s", result_names[check->result]);
        append_toned(out, result_tones[check->result], padded, colour);
        buffer_printf(out, " %-12s ", check->name);
        append_escaped(out, bytes_text(check->cause));
        buffer_byte(out, '\n');
        if (check->remedy[0] == '\0')
            continue;
        buffer_text(out, "                   remedy: ");
        append_escaped(out, bytes_text(check->remedy));
        buffer_byte(out, '\n');
    }
}

static void put_json(const struct doctor *doctor, enum check_result worst, struct buffer *out)
{
    struct json_writer w = json_writer(out);
    json_object(&w, NULL);
    json_text(&w, "result", result_names[worst]);
    json_array(&w, "checks");
    for (size_t i = 0; i < doctor->count; i++) {
        const struct check *check = &doctor->checks[i];
        json_object(&w, NULL);
        json_text(&w, "check", check->name);
        json_text(&w, "result", result_names[check->result]);
        json_text(&w, "cause", check->cause);
        if (check->remedy[0] != '\0')
            json_text(&w, "remedy", check->remedy);
        json_end(&w);
    }
    json_end(&w);
    json_end(&w);
    buffer_byte(out, '\n');
}

int command_doctor(int argc, char **argv)
{
    static struct doctor doctor; /* large, and there is one */
    doctor.common.timeout_ms = 10000;
    doctor.root = "";
    int ended = options_parse(&help, argc, argv, &doctor.common, take, &doctor);
    if (ended != OPTIONS_GO_ON)
        return ended;
    buffer_init(&doctor.health, DOCTOR_ANSWER_MAX);
    if ((doctor.pcrs != NULL && doctor.policy == NULL) ||
        (doctor.policy != NULL && doctor.pcrs == NULL && !doctor.common.to_given)) {
        struct error err;
        error_set(&err, ERROR_USAGE, "--policy goes with --pcrs or --to, --pcrs with --policy");
        return report_failure_with(&doctor.common, &err, "see enclavectl doctor --help");
    }
    doctor_nsm(&doctor);
    doctor_vsock(&doctor);
    doctor_clock(&doctor);
    if (doctor.common.to_given)
        doctor_service(&doctor);
    if (doctor.relay != NULL)
        doctor_relay(&doctor);
    if (doctor.policy != NULL)
        doctor_policy(&doctor);

    enum check_result worst = CHECK_OK;
    for (size_t i = 0; i < doctor.count; i++)
        worst = doctor.checks[i].result > worst ? doctor.checks[i].result : worst;
    BUFFER_AUTO out;
    buffer_init(&out, 1u << 20);
    if (doctor.common.json)
        put_json(&doctor, worst, &out);
    else
        put_table(&doctor, &out);
    buffer_clear(&doctor.health);
    int printed = report_print(&doctor.common, buffer_bytes(&out));
    return printed != EXIT_OK ? printed : worst == CHECK_FAIL ? EXIT_REFUSED : EXIT_OK;
}
