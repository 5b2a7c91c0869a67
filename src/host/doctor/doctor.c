/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl doctor: what is wrong, why, and what to do about it. */
#include "host/doctor/doctor.h"

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

    int code = doctor_print(&doctor);
    buffer_clear(&doctor.health);
    return code;
}
