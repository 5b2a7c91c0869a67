/* SPDX-License-Identifier: Apache-2.0 */
/* enclave-sim vm: what it says of itself. */
#include <stdio.h>

#include "base/log.h"
#include "sim/commands.h"
#include "sim/vm/vm_run.h"

static const char help[] =
    "usage: enclave-sim vm IMAGE.eif [OPTION]...\n"
    "Boots an enclave image in QEMU as Nitro would: its own kernel, command line and ramdisks, an "
    "NSM\n"
    "that holds the image's registers, and vsock with the parent at CID 3.\n"
    "\n"
    "  --memory MIB             memory of the guest (default 128): at least 64 and four times the\n"
    "                           image\n"
    "  --cpus N                 CPUs of the guest (1)\n"
    "  --cid N                  the guest's CID (16)\n"
    "  --debug-mode             show the console on standard error; registers 0, 1, 2 and 8 are "
    "zero\n"
    "  --boot-timeout SECONDS   until the guest must have given its heartbeat (60)\n"
    "\n"
    "  --listen PORT=ADDRESS    connections to ADDRESS, here, arrive at the guest's vsock port "
    "PORT,\n"
    "                           from CID 3; may be repeated. Default: 5000=unix:PATH in a new "
    "folder\n"
    "  --listen PORT=ADDRESS,cid=N  from CID N: a parent that is not one, for tests\n"
    "  --connect PORT=ADDRESS   the guest's connections to CID 3, port PORT, go to ADDRESS, here;\n"
    "                           may be repeated. Others are refused\n"
    "                           ADDRESS: unix:PATH or tcp:HOST:PORT (tcp:127.0.0.1:0: a free "
    "port)\n"
    "\n"
    "  --root FILE              where to write the root certificate (PEM) that verifies documents\n"
    "  --state DIR              keep the NSM's keys and chain in DIR, so that a restart has the "
    "same\n"
    "                           root\n"
    "  --pcr N=HEX              start a register that is not measured from the image, such as 3\n"
    "  --fault FAULT            the NSM meets requests with a fault: see enclave-sim nsm --help\n"
    "\n"
    "  --qemu FILE              QEMU 11.1 or newer. Default: $ENCLAVE_QEMU, what "
    "scripts/fetch-qemu\n"
    "                           keeps, qemu-system-x86_64 in PATH\n"
    "  --accel auto|kvm|tcg     hardware acceleration where it works (auto), always, or never\n"
    "  --help                   this text\n"
    "\n"
    "Prints `ready ADDRESS...`, the addresses of --listen in their order, when the guest has "
    "given\n"
    "its heartbeat (byte 0xB7 to CID 3, port 9000). Ends when the guest does, or on SIGINT or "
    "SIGTERM,\n"
    "with QEMU and all sockets gone.\n"
    "\n"
    "Examples:\n"
    "  enclave-sim vm build/enclaved.eif --memory 64\n"
    "  enclave-sim vm build/enclaved.eif --listen 5000=tcp:127.0.0.1:5000 \\\n"
    "      --connect 8000=tcp:127.0.0.1:8443 --root nsm-root.pem\n"
    "  enclave-sim vm build/enclaved.eif --debug-mode\n"
    "\n"
    "Exit codes: 0 the guest ended after its heartbeat, or was to end; 1 failed (the reason is on\n"
    "standard error), 2 wrong usage.\n";

int command_vm(int argc, char **argv)
{
    static struct vm_options options;
    struct error err = {0};
    bool wants_help;
    if (!vm_options_parse(&options, argc, argv, &wants_help, &err)) {
        fprintf(stderr, "enclave-sim vm: %s\n", err.cause);
        return SIM_USAGE;
    }
    if (wants_help) {
        fputs(help, stdout);
        return SIM_OK;
    }
    if (vm_run(&options, &err))
        return SIM_OK;
    log_error("vm: %s", err.cause);
    return err.code == ERROR_USAGE ? SIM_USAGE : SIM_FAILED;
}
