/* SPDX-License-Identifier: Apache-2.0 */
/* enclavectl doctor: what is wrong, why, and what to do about it. */
#include "host/doctor/doctor.h"

#include "host/command.h"
#include "host/keypolicy/policy_question.h"
#include "host/relay_status.h"
#include "host/report.h"

static const struct cli_option options[] = {
    CLI_TEXT("to", "ADDRESS", struct doctor, common.to,
             "ask the enclaved that listens there (default: $ENCLAVED_ADDRESS, else none)",
             .variable = "ENCLAVED_ADDRESS"),
    CLI_TEXT("profile", "NAME", struct doctor, profile,
             "the AWS profile whose credentials are looked at"),
    CLI_TEXT("relay", "ADDRESS", struct doctor, relay, "try the relay to KMS"),
    CLI_TEXT("relay-status", "ADDRESS", struct doctor, relay_status,
             "ask the relay that reports there (default: " RELAY_STATUS_ADDRESS
             ", where it is there)"),
    CLI_TEXT("endpoint", "HOST", struct doctor, endpoint,
             "the name of KMS at the relay's other end (default: from the pinned key)",
             .with = "relay"),
    CLI_TEXT("roots", "FILE", struct doctor, roots,
             "the roots to trust there (default: this system's)", .with = "relay"),
    CLI_TEXT("policy", "FILE", struct doctor, policy,
             "a key policy, to be compared with --measurements, or with what runs (--to)"),
    CLI_TEXT("measurements", "FILE", struct doctor, measurements,
             "measurements as nitro-cli build-enclave prints them", .old = "pcrs"),
    CLI_TEXT("principal", "ARN", struct doctor, principal,
             "who asks, for --policy (default: the first whom the policy allows)", .with = "policy",
             .check = policy_principal_check),
    CLI_TEXTS("encryption-context", "NAME=VALUE", struct doctor, context, context_count,
              "a pair of the encryption context, for --policy; repeatable (default: the pinned "
              "context, with --to)",
              .with = "policy", .check = context_check),
    CLI_TEXT("sysroot", "DIR", struct doctor, root,
             "look at the files of DIR (dev, sys, run, etc) instead of this system's",
             .old = "root"),
    OPTION_TIMEOUT(struct doctor),
    OPTION_JSON(struct doctor),
};

static bool check(void *given, struct error *err)
{
    const struct doctor *doctor = given;
    bool good = doctor->policy == NULL ? doctor->measurements == NULL
                                       : doctor->measurements != NULL || doctor->common.to != NULL;
    return good || error_set(err, ERROR_USAGE,
                             "--policy goes with --measurements or --to, --measurements with "
                             "--policy");
}

static int run(void *given)
{
    struct doctor *doctor = given;
    buffer_init(&doctor->health, DOCTOR_ANSWER_MAX);
    doctor_nsm(doctor);
    doctor_vsock(doctor);
    doctor_clock(doctor);
    if (doctor->common.to != NULL)
        doctor_service(doctor);
    doctor_credentials(doctor);
    doctor_deployed(doctor);
    if (doctor->relay != NULL)
        doctor_relay(doctor);
    if (doctor->policy != NULL)
        doctor_policy(doctor);

    int code = doctor_print(doctor);
    buffer_clear(&doctor->health);
    return code;
}

static const struct doctor initial = {.common.timeout_ms = 10000, .root = ""};

const struct cli_command command_doctor = {
    .name = "doctor",
    .summary = "find out what is wrong, and what to do about it",
    .synopsis = "[--to ADDRESS] [--relay ADDRESS] [--policy FILE [--measurements FILE]]",
    .about =
        "Checks what confidential computing on Nitro Enclaves depends on: the NSM device,\n"
        "AF_VSOCK, the clock, the AWS credentials (source, expiry, and whose they are), the relay\n"
        "that runs here; with --to (or ENCLAVED_ADDRESS) the state of enclaved and why KMS\n"
        "refused; with --relay the way to KMS; with --policy, and --measurements or --to, which\n"
        "condition of a key policy fails. Each check is ok, warn or fail, with cause and remedy.\n"
        "Exit code 1 if one failed.",
    .examples =
        "  enclavectl doctor\n"
        "  enclavectl doctor --to vsock:16:5000 --relay tcp:127.0.0.1:8000\n"
        "  enclavectl doctor --to vsock:16:5000 --policy policy.json\n"
        "  enclavectl doctor --policy policy.json --measurements measurements.json --json\n",
    .options = options,
    .option_count = ARRAY_LEN(options),
    .size = sizeof initial,
    .initial = &initial,
    .check = check,
    .run = run,
};
