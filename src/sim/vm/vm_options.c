/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_options.h"

#include <stdio.h>

#include "sim/nsm/nsm_pcrs.h"
#include "system/file.h"

/* PORT=REST: a vsock port, and where what comes after the sign begins. */
static bool split_port(const char *option, const char *value, uint32_t *port, const char **rest,
                       struct error *err)
{
    char digits[16];
    int64_t number;
    const char *sign = strchr(value, '=');
    if (sign == NULL || (size_t)(sign - value) >= sizeof digits)
        return error_set(err, ERROR_USAGE,
                         "%s takes PORT=ADDRESS, such as 5000=unix:/tmp/enclave, not %.80s", option,
                         value);
    memcpy(digits, value, (size_t)(sign - value));
    digits[sign - value] = '\0';
    *rest = sign + 1;
    char what[64];
    snprintf(what, sizeof what, "the port of %s", option);
    if (!cli_integer(what, digits, 1, UINT32_MAX - 1, &number, err))
        return false;
    *port = (uint32_t)number;
    return true;
}

static bool stream_address(struct address *out, const char *option, const char *text,
                           struct error *err)
{
    return any_address_parse(out, text, err) &&
           (!address_is_vsock(out) ||
            error_set(err, ERROR_USAGE, "%s takes unix:PATH or tcp:HOST:PORT, not %.100s", option,
                      text));
}

/* PORT=ADDRESS[,cid=N] */
static bool take_listen(void *place, const char *option, const char *text, struct error *err)
{
    static const char cid_mark[] = ",cid=";
    struct vm_listen *new = place;
    const char *rest;
    int64_t cid = VSOCK_PARENT_CID;
    char address[ADDRESS_TEXT_MAX];
    if (!split_port(option, text, &new->port, &rest, err))
        return false;
    const char *mark = strstr(rest, cid_mark);
    size_t len = mark != NULL ? (size_t)(mark - rest) : strlen(rest);
    if (mark != NULL &&
        !cli_integer("--listen ...,cid=", mark + sizeof cid_mark - 1, 0, UINT32_MAX - 1, &cid, err))
        return false;
    if (len >= sizeof address)
        return error_set(err, ERROR_USAGE, "%s: the address is too long", option);
    memcpy(address, rest, len);
    address[len] = '\0';
    new->cid = (uint64_t)cid;
    return stream_address(&new->address, option, address, err);
}

static bool take_target(void *place, const char *option, const char *text, struct error *err)
{
    struct vsock_target *new = place;
    const char *rest;
    if (!split_port(option, text, &new->port, &rest, err))
        return false;
    if (new->port == VM_HEARTBEAT_PORT)
        return error_set(err, ERROR_USAGE,
                         "%s: port %d is for the heartbeat, which is answered here", option,
                         VM_HEARTBEAT_PORT);
    return stream_address(&new->address, option, rest, err);
}

static bool take_register(void *place, const char *option, const char *text, struct error *err)
{
    static const uint32_t measured = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 8;
    struct nsm_engine_config *engine = place;
    return nsm_pcrs_parse(engine, text, err) &&
           ((engine->pcr_given & measured) == 0 ||
            error_set(err, ERROR_USAGE, "%s: registers 0, 1, 2 and 8 are measured from the image",
                      option));
}

static const char *const accels[] = {
    [VM_ACCEL_AUTO] = "auto", [VM_ACCEL_KVM] = "kvm", [VM_ACCEL_TCG] = "tcg", NULL};

const struct cli_option vm_options_table[VM_OPTIONS] = {
    CLI_INTEGER("memory", "MIB", struct vm_options, memory_mib, 1, VM_MEMORY_MAX_MIB,
                "memory of the guest (default 128): at least 64 and four times the image"),
    CLI_INTEGER("cpus", "N", struct vm_options, cpus, 1, VM_CPUS_MAX, "CPUs of the guest (1)"),
    CLI_INTEGER("cid", "N", struct vm_options, cid, 4, UINT32_MAX - 1, "CID of the enclave (16)"),
    CLI_FLAG("debug-mode", struct vm_options, engine.debug_mode,
             "show the console on standard error; registers 0, 1, 2 and 8 are zero"),
    CLI_INTEGER("boot-timeout", "SECONDS", struct vm_options, boot_timeout_s, 1,
                VM_BOOT_TIMEOUT_MAX, "until the guest must have given its heartbeat (60)"),
    CLI_PARSED_LIST("listen", "PORT=ADDRESS", struct vm_options, listens, listen_count, take_listen,
                    "pass connections to ADDRESS, on this machine, to the guest's vsock port PORT, "
                    "from CID 3; repeatable (default: 5000=unix:PATH in a new folder); for tests, "
                    "PORT=ADDRESS,cid=N passes them from CID N"),
    CLI_PARSED_LIST("connect", "PORT=ADDRESS", struct vm_options, targets, target_count,
                    take_target,
                    "pass the guest's connections to CID 3, port PORT, to ADDRESS, on this "
                    "machine; repeatable; others are refused"),
    CLI_TEXT("write-nsm-root", "FILE", struct vm_options, root,
             "write the root certificate (PEM) that verifies the NSM's documents there",
             .old = "root"),
    CLI_TEXT("state", "DIR", struct vm_options, state,
             "keep the NSM's keys and chain in DIR, so that a restart has the same root"),
    CLI_PARSED("pcr", "N=HEX", struct vm_options, engine, take_register,
               "start a register that is not measured from the image, such as 3; repeatable"),
    CLI_PARSED("fault", "FAULT", struct vm_options, fault, nsm_fault_parse,
               "for tests: the NSM answers with a fault, as of enclave-sim nsm"),
    CLI_TEXT("qemu", "FILE", struct vm_options, qemu,
             "QEMU 11.1 or newer (default: $ENCLAVE_QEMU, what scripts/fetch-qemu keeps, "
             "qemu-system-x86_64 in PATH)"),
    CLI_CHOICE("accel", "MODE", struct vm_options, accel, accels, VM_ACCEL_AUTO,
               "use hardware acceleration where it works (auto), always (kvm) or never (tcg)"),
};

bool vm_options_check(void *options, struct error *err)
{
    const struct vm_options *from = options;
    for (size_t i = 0; i < from->target_count; i++)
        for (size_t k = 0; k < i; k++)
            if (from->targets[i].port == from->targets[k].port)
                return error_set(err, ERROR_USAGE, "--connect: port %u is given twice",
                                 from->targets[i].port);
    return file_check_output(from->root, &from->image, 1, err);
}
