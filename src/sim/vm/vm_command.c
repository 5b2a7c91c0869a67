/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim vm: what it says of itself. */
#include "base/log.h"
#include "sim/commands.h"
#include "sim/vm/vm_run.h"

static int vm(void *options)
{
    struct error err = {0};
    if (vm_run(options, &err))
        return SIM_OK;
    log_error("vm: %s", err.cause);
    return err.code == ERROR_USAGE ? SIM_USAGE : SIM_FAILED;
}

static const struct vm_options initial = {
    .cpus = 1, .cid = VM_CID_DEFAULT, .boot_timeout_s = VM_BOOT_TIMEOUT_S};

static const struct cli_option operand =
    CLI_TEXT(NULL, "FILE", struct vm_options, image, "the image (EIF) to boot", .needed = true);

const struct cli_command command_vm = {
    .name = "vm",
    .summary = "a Nitro enclave: boots an image in QEMU",
    .synopsis = "FILE [OPTION...]",
    .about =
        "Boots an enclave image in QEMU as Nitro would: its own kernel, command line and "
        "ramdisks,\n"
        "an NSM that holds the image's registers, and vsock with the parent at CID 3. Prints\n"
        "`ready ADDRESS...`, the addresses of --listen in their order, when the guest has given "
        "its\n"
        "heartbeat (byte 0xB7 to CID 3, port 9000). Ends when the guest does, or on SIGINT or\n"
        "SIGTERM, with QEMU and all sockets gone.",
    .more = "ADDRESS is unix:PATH or tcp:HOST:PORT (tcp:127.0.0.1:0: a free port).",
    .examples = "  enclave-sim vm build/enclaved.eif --memory 64\n"
                "  enclave-sim vm build/enclaved.eif --listen 5000=tcp:127.0.0.1:5000 \\\n"
                "      --connect 8000=tcp:127.0.0.1:8443 --write-nsm-root nsm-root.pem\n"
                "  enclave-sim vm build/enclaved.eif --debug-mode\n",
    .options = vm_options_table,
    .option_count = VM_OPTIONS,
    .operand = &operand,
    .size = sizeof initial,
    .initial = &initial,
    .check = vm_options_check,
    .run = vm,
};
