/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_options.h"

#include <getopt.h>
#include <stdio.h>

#include "sim/nsm/nsm_pcrs.h"

/* A decimal number from least to most; text ends where the number does. */
static bool number(const char *name, const char *text, uint32_t least, uint32_t most, uint32_t *out,
                   struct error *err)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && value <= most; at++)
        value = value * 10 + (uint64_t)(*at - '0');
    if (at == text || *at != '\0' || value < least || value > most)
        return error_set(err, ERROR_USAGE, "%s takes a number from %u to %u, not %.40s", name,
                         least, most, text);
    *out = (uint32_t)value;
    return true;
}

/* PORT=REST: a vsock port, and where what stands behind the sign begins. */
static bool split_port(const char *option, const char *value, uint32_t *port, const char **rest,
                       struct error *err)
{
    char digits[16];
    const char *sign = strchr(value, '=');
    if (sign == NULL || (size_t)(sign - value) >= sizeof digits)
        return error_set(err, ERROR_USAGE,
                         "%s takes PORT=ADDRESS, such as 5000=unix:/tmp/enclave, "
                         "not %.80s",
                         option, value);
    memcpy(digits, value, (size_t)(sign - value));
    digits[sign - value] = '\0';
    *rest = sign + 1;
    return number(option, digits, 1, UINT32_MAX - 1, port, err);
}

static bool stream_address(struct address *out, const char *option, const char *text,
                           struct error *err)
{
    return address_parse(out, text, err) &&
           (out->family != ADDRESS_VSOCK ||
            error_set(err, ERROR_USAGE, "%s takes unix:PATH or tcp:HOST:PORT, not %.100s", option,
                      text));
}

/* PORT=ADDRESS[,cid=N] */
static bool add_listen(struct vm_options *options, const char *value, struct error *err)
{
    static const char cid_mark[] = ",cid=";
    if (options->listen_count == VM_PORTS_MAX)
        return error_set(err, ERROR_USAGE, "--listen can be given %d times", VM_PORTS_MAX);
    struct vm_listen *new = &options->listens[options->listen_count];
    const char *rest;
    uint32_t cid = VSOCK_PARENT_CID;
    char address[ADDRESS_TEXT_MAX];
    if (!split_port("--listen", value, &new->port, &rest, err))
        return false;
    const char *mark = strstr(rest, cid_mark);
    size_t len = mark != NULL ? (size_t)(mark - rest) : strlen(rest);
    if (mark != NULL &&
        !number("--listen …,cid=", mark + sizeof cid_mark - 1, 0, UINT32_MAX - 1, &cid, err))
        return false;
    if (len >= sizeof address)
        return error_set(err, ERROR_USAGE, "--listen: the address is too long");
    memcpy(address, rest, len);
    address[len] = '\0';
    new->cid = cid;
    options->listen_count++;
    return stream_address(&new->address, "--listen", address, err);
}

static bool add_target(struct vm_options *options, const char *value, struct error *err)
{
    if (options->target_count == VM_PORTS_MAX)
        return error_set(err, ERROR_USAGE, "--connect can be given %d times", VM_PORTS_MAX);
    struct vsock_target *new = &options->targets[options->target_count++];
    const char *rest;
    if (!split_port("--connect", value, &new->port, &rest, err))
        return false;
    if (new->port == VM_HEARTBEAT_PORT)
        return error_set(err, ERROR_USAGE,
                         "--connect: port %d is for the heartbeat, which is "
                         "answered here",
                         VM_HEARTBEAT_PORT);
    for (size_t i = 0; i + 1 < options->target_count; i++)
        if (options->targets[i].port == new->port)
            return error_set(err, ERROR_USAGE, "--connect: port %u is given twice", new->port);
    return stream_address(&new->address, "--connect", rest, err);
}

static bool choose_accel(struct vm_options *options, const char *value, struct error *err)
{
    static const char *const names[] = {"auto", "kvm", "tcg"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        if (strcmp(value, names[i]) != 0)
            continue;
        options->accel = (enum vm_accel)i;
        return true;
    }
    return error_set(err, ERROR_USAGE, "--accel is auto, kvm or tcg, not %.40s", value);
}

static bool add_register(struct vm_options *options, const char *value, struct error *err)
{
    static const uint32_t measured = 1u << 0 | 1u << 1 | 1u << 2 | 1u << 8;
    return nsm_pcrs_parse(&options->engine, value, err) &&
           ((options->engine.pcr_given & measured) == 0 ||
            error_set(err, ERROR_USAGE,
                      "--pcr: registers 0, 1, 2 and 8 are measured from the image"));
}

static bool take_option(struct vm_options *options, int option, const char *value,
                        struct error *err)
{
    switch (option) {
    case 'm':
        return number("--memory", value, 1, VM_MEMORY_MAX_MIB, &options->memory_mib, err);
    case 'c':
        return number("--cpus", value, 1, VM_CPUS_MAX, &options->cpus, err);
    case 'i':
        return number("--cid", value, 4, UINT32_MAX - 1, &options->cid, err);
    case 't':
        return number("--boot-timeout", value, 1, VM_BOOT_TIMEOUT_MAX, &options->boot_timeout_s,
                      err);
    case 'd':
        options->engine.debug_mode = true;
        return true;
    case 'l':
        return add_listen(options, value, err);
    case 'o':
        return add_target(options, value, err);
    case 'r':
        options->root = value;
        return true;
    case 's':
        options->state = value;
        return true;
    case 'p':
        return add_register(options, value, err);
    case 'f':
        return nsm_fault_parse(&options->fault, value, err);
    case 'q':
        options->qemu = value;
        return true;
    case 'a':
        return choose_accel(options, value, err);
    default: /* getopt has said what is wrong */
        return error_set(err, ERROR_USAGE, "try enclave-sim vm --help");
    }
}

static bool take_image(struct vm_options *options, int argc, char **argv, struct error *err)
{
    if (optind == argc)
        return error_set(err, ERROR_USAGE, "which image? enclave-sim vm IMAGE.eif");
    if (optind + 1 < argc)
        return error_set(err, ERROR_USAGE, "unexpected argument: %.100s", argv[optind + 1]);
    options->image = argv[optind];
    return true;
}

bool vm_options_parse(struct vm_options *options, int argc, char **argv, bool *wants_help,
                      struct error *err)
{
    static const struct option known[] = {
        {"memory", required_argument, NULL, 'm'},
        {"cpus", required_argument, NULL, 'c'},
        {"cid", required_argument, NULL, 'i'},
        {"boot-timeout", required_argument, NULL, 't'},
        {"debug-mode", no_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"connect", required_argument, NULL, 'o'},
        {"root", required_argument, NULL, 'r'},
        {"state", required_argument, NULL, 's'},
        {"pcr", required_argument, NULL, 'p'},
        {"fault", required_argument, NULL, 'f'},
        {"qemu", required_argument, NULL, 'q'},
        {"accel", required_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    *options =
        (struct vm_options){.cpus = 1, .cid = VM_CID_DEFAULT, .boot_timeout_s = VM_BOOT_TIMEOUT_S};
    *wants_help = false;
    int option;
    while ((option = getopt_long(argc, argv, "h", known, NULL)) != -1) {
        *wants_help = option == 'h';
        if (*wants_help)
            return true;
        if (!take_option(options, option, optarg, err))
            return false;
    }
    return take_image(options, argc, argv, err);
}
