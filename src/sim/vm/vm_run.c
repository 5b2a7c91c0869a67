/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "sim/device/virtio_nsm.h"
#include "sim/nsm/nsm_module.h"
#include "sim/vm/vm_console.h"
#include "sim/vm/vm_ports.h"
#include "sim/vm/vm_qemu.h"
#include "system/signals.h"

#define LEAVE_MS        5000 /* for QEMU to end after it closed a device */
#define DESCRIPTORS_MIN (2 * VSOCK_STREAMS_MAX + 64)

struct vm {
    struct vm_options *options;
    struct event_loop loop;
    struct event_source stop;
    struct event_source exit; /* of QEMU */
    struct vm_image image;
    struct nsm_module module;
    struct virtio_nsm nsm;
    struct virtio_vsock vsock;
    struct vm_ports ports;
    struct vsock_target targets[VM_PORTS_MAX + 1]; /* those of the options, and the heartbeat */
    struct vm_qemu qemu;
    struct vm_lines console;
    struct vm_lines messages;
    char folder[VM_PATH_MAX]; /* for sockets of our own; empty: none */
    bool started;             /* the heartbeat has arrived */
    bool over;
    bool ok;
    int64_t deadline_ms; /* for the heartbeat, or for QEMU to end */
    struct error why;
};

/* Ends the loop; only the first call decides the result. */
static void finish(struct vm *vm, bool ok)
{
    if (!vm->over)
        vm->ok = ok;
    vm->over = true;
}

static void on_stop(struct event_source *source, uint32_t events)
{
    (void)events;
    finish((struct vm *)((char *)source - offsetof(struct vm, stop)), true);
}

/* Advice for messages. */
static const char *console_hint(const struct vm *vm)
{
    return vm->options->engine.debug_mode ? "" : "; --debug-mode shows its console";
}

static void on_panic(void *context)
{
    struct vm *vm = context;
    if (vm->over)
        return;
    /* Without debug mode not even this line of the console is shown. */
    bool debug = vm->options->engine.debug_mode;
    (void)error_set(&vm->why, ERROR_CLOSED, "the guest's kernel panicked%s%.300s",
                    debug ? ": " : "", debug ? vm->console.panic : console_hint(vm));
    finish(vm, false);
}

/* A device has ended: QEMU is ending, or it or the guest broke the rules. */
static void on_device_end(void *context, const struct error *err)
{
    struct vm *vm = context;
    if (err->code == ERROR_CLOSED) {
        int64_t leave = clock_monotonic_ms() + LEAVE_MS;
        vm->deadline_ms = vm->deadline_ms < leave ? vm->deadline_ms : leave;
        return;
    }
    if (!vm->over)
        (void)error_set(&vm->why, err->code, "the guest or QEMU broke the rules of a device: %s",
                        err->cause);
    finish(vm, false);
}

static void describe_exit(const struct vm *vm, struct error *err)
{
    const char *said = vm->messages.last;
    const char *colon = said[0] != '\0' ? ": " : "";
    const char *remedy = strstr(said, "device model name") != NULL
                             ? "; QEMU 11.1 or newer is needed: run scripts/fetch-qemu"
                             : "";
    int status = vm->qemu.status;
    if (WIFSIGNALED(status))
        (void)error_set(err, ERROR_CLOSED, "QEMU was killed by signal %d%s%.300s", WTERMSIG(status),
                        colon, said);
    else
        (void)error_set(err, ERROR_CLOSED, "QEMU ended with status %d%s%.300s%s",
                        WEXITSTATUS(status), colon, said, remedy);
}

static void on_exit_of_qemu(struct event_source *source, uint32_t events)
{
    struct vm *vm = (struct vm *)((char *)source - offsetof(struct vm, exit));
    (void)events;
    if (vm->over || !vm_qemu_ended(&vm->qemu))
        return;
    vm_lines_finish(&vm->console); /* which may report a panic */
    vm_lines_finish(&vm->messages);
    bool rebooted = WIFEXITED(vm->qemu.status) && WEXITSTATUS(vm->qemu.status) == 0;
    if (!rebooted)
        describe_exit(vm, &vm->why);
    else if (!vm->started)
        (void)error_set(&vm->why, ERROR_CLOSED, "the guest ended before its heartbeat%s",
                        console_hint(vm));
    else
        log_info("vm: the guest has ended");
    finish(vm, rebooted && vm->started);
}

static void on_start(void *context)
{
    struct vm *vm = context;
    struct error err = {0};
    vm->started = true;
    vm->deadline_ms = INT64_MAX;
    if (!vm_ports_serve(&vm->ports, &err)) {
        vm->why = err;
        finish(vm, false);
        return;
    }
    printf("ready");
    for (size_t i = 0; i < vm->ports.count; i++)
        printf(" %s", vm->ports.port[i].bound.text);
    printf("\n");
    fflush(stdout);
}

/* Without --listen: a socket for the enclave's port in a new folder. */
static bool default_listen(struct vm *vm, struct error *err)
{
    struct vm_options *options = vm->options;
    const char *base = getenv("XDG_RUNTIME_DIR");
    if (base == NULL || *base == '\0')
        base = getenv("TMPDIR");
    if (base == NULL || *base == '\0')
        base = "/tmp";
    if (options->listen_count > 0)
        return true;
    int len = snprintf(vm->folder, sizeof vm->folder, "%s/enclave-sim-vm.XXXXXX", base);
    if (len < 0 || (size_t)len >= sizeof vm->folder || mkdtemp(vm->folder) == NULL) {
        vm->folder[0] = '\0';
        return error_set_errno(err, ERROR_SYSTEM, "cannot make a folder in %.200s", base);
    }
    char text[VM_PATH_MAX + 32];
    snprintf(text, sizeof text, "unix:%s/vsock-%d.sock", vm->folder, VM_ENCLAVE_PORT);
    options->listens[0] = (struct vm_listen){.port = VM_ENCLAVE_PORT, .cid = VSOCK_PARENT_CID};
    options->listen_count = 1;
    return any_address_parse(&options->listens[0].address, text, err);
}

/* Nitro's rules for memory: at least 64 MiB, and four times the image. */
static bool choose_memory(const struct vm *vm, uint32_t *mib, struct error *err)
{
    uint64_t four_times = (4 * vm->image.bytes + (1u << 20) - 1) >> 20;
    uint64_t least = four_times > VM_MEMORY_MIN_MIB ? four_times : VM_MEMORY_MIN_MIB;
    uint64_t wanted = vm->options->memory_mib;
    if (wanted == 0)
        wanted = least > VM_MEMORY_DEFAULT ? least : VM_MEMORY_DEFAULT;
    *mib = (uint32_t)wanted;
    return (wanted >= least && wanted <= VM_MEMORY_MAX_MIB) ||
           error_set(err, ERROR_USAGE,
                     "an image of %llu bytes needs --memory %llu or more: as with nitro-cli, at "
                     "least %d MiB and four times the image",
                     (unsigned long long)vm->image.bytes, (unsigned long long)least,
                     VM_MEMORY_MIN_MIB);
}

/* Fills the registers as Nitro does; in debug mode the engine shows them as zeros. */
static void take_registers(struct vm *vm)
{
    struct nsm_engine_config *config = &vm->options->engine;
    const struct eif_measurements *m = &vm->image.measurements;
    const struct {
        const uint8_t *value;
        unsigned index;
        bool given;
    } registers[] = {
        {m->pcr0, 0, true}, {m->pcr1, 1, true}, {m->pcr2, 2, true}, {m->pcr8, 8, m->is_signed}};
    for (size_t i = 0; i < ARRAY_LEN(registers); i++) {
        if (!registers[i].given)
            continue;
        char hex[2 * SHA384_SIZE + 1] = "";
        memcpy(config->pcr[registers[i].index], registers[i].value, SHA384_SIZE);
        config->pcr_given |= 1u << registers[i].index;
        hex_encode(hex, bytes_of(registers[i].value, SHA384_SIZE));
        log_info("vm: PCR%u %s%s", registers[i].index, hex,
                 config->debug_mode ? " (zeros in debug mode)" : "");
    }
}

static bool start_devices(struct vm *vm, int nsm, int vsock, struct error *err)
{
    const struct vm_options *options = vm->options;
    memcpy(vm->targets, options->targets, sizeof options->targets);
    vm->targets[options->target_count] = (struct vsock_target){
        .port = VM_HEARTBEAT_PORT, .open = vm_heartbeat_open, .context = &vm->ports};
    vm->vsock.vsock.guest_cid = options->cid;
    vm->vsock.vsock.targets = vm->targets;
    vm->vsock.vsock.target_count = options->target_count + 1;
    vm->vsock.context = vm->nsm.context = vm;
    vm->vsock.ended = vm->nsm.ended = on_device_end;
    if (!virtio_nsm_start(&vm->nsm, &vm->loop, vm->module.engine, &options->fault, nsm, err)) {
        close(vsock);
        return false;
    }
    return virtio_vsock_start(&vm->vsock, &vm->loop, vsock, err);
}

static bool watch_qemu(struct vm *vm, struct error *err)
{
    vm->console.shown = vm->options->engine.debug_mode;
    vm->console.prefix = "console: ";
    vm->console.context = vm;
    vm->console.panicked = on_panic;
    vm->messages.shown = true;
    vm->messages.prefix = "qemu: ";
    vm->exit = (struct event_source){.fd = vm->qemu.pidfd, .ready = on_exit_of_qemu};
    return vm_lines_start(&vm->console, &vm->loop, vm->qemu.console, err) &&
           vm_lines_start(&vm->messages, &vm->loop, vm->qemu.messages, err) &&
           event_add(&vm->loop, &vm->exit, EPOLLIN, err);
}

static bool start_machine(struct vm *vm, struct error *err)
{
    int nsm[2], vsock[2];
    uint32_t memory_mib;
    if (!choose_memory(vm, &memory_mib, err))
        return false;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, nsm) != 0)
        return error_set_errno(err, ERROR_SYSTEM, "socketpair");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, vsock) != 0) {
        (void)error_set_errno(err, ERROR_SYSTEM, "socketpair");
        close(nsm[0]);
        close(nsm[1]);
        return false;
    }
    bool ok = start_devices(vm, nsm[0], vsock[0], err) &&
              vm_qemu_start(&vm->qemu, vm->options, &vm->image, memory_mib, nsm[1], vsock[1], err);
    close(nsm[1]);
    close(vsock[1]);
    vm_image_clear(&vm->image);
    return ok && watch_qemu(vm, err);
}

/* Each connection may need two descriptors here. */
static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= DESCRIPTORS_MIN)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MIN ? limit.rlim_max : DESCRIPTORS_MIN;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

static bool prepare(struct vm *vm, struct error *err)
{
    static const int stop_signals[] = {SIGINT, SIGTERM, 0};
    allow_descriptors();
    vm->stop = (struct event_source){.fd = signals_open(stop_signals, err), .ready = on_stop};
    if (vm->stop.fd < 0 || !event_loop_init(&vm->loop, err) ||
        !event_add(&vm->loop, &vm->stop, EPOLLIN, err) ||
        !vm_qemu_find(&vm->qemu, vm->options->qemu, err) ||
        !vm_image_load(&vm->image, vm->options->image, err))
        return false;
    take_registers(vm);
    vm->ports.loop = &vm->loop;
    vm->ports.vsock = &vm->vsock.vsock;
    vm->ports.context = vm;
    vm->ports.on_start = on_start;
    return nsm_module_start(&vm->module, &vm->options->engine, vm->options->state,
                            vm->options->root, err) &&
           default_listen(vm, err) && vm_ports_open(&vm->ports, vm->options, err) &&
           start_machine(vm, err);
}

static void check_time(struct vm *vm, int64_t now)
{
    if (vm->over || now < vm->deadline_ms)
        return;
    if (vm->started)
        (void)error_set(&vm->why, ERROR_DEADLINE, "QEMU closed its devices but does not end");
    else
        (void)error_set(&vm->why, ERROR_DEADLINE,
                        "the guest gave no heartbeat within %u s (--boot-timeout)%s%s",
                        vm->options->boot_timeout_s, console_hint(vm),
                        vm->qemu.kvm ? "; --accel tcg runs without KVM" : "");
    finish(vm, false);
}

static bool serve(struct vm *vm, struct error *err)
{
    vm->deadline_ms = clock_monotonic_ms() + 1000 * (int64_t)vm->options->boot_timeout_s;
    int64_t tick = 0;
    while (!vm->over) {
        /* Twice a second time limits are checked; an idle enclave costs nothing else. */
        if (!event_loop_turn(&vm->loop, VSOCK_TICK_MS, err))
            return false;
        int64_t now = clock_monotonic_ms();
        if (now - tick < VSOCK_TICK_MS)
            continue;
        tick = now;
        vsock_tick(&vm->vsock.vsock, now);
        if (vm->started)
            vm_ports_tick(&vm->ports);
        check_time(vm, now);
    }
    *err = vm->why;
    return vm->ok;
}

static void clean_up(struct vm *vm)
{
    vm_qemu_stop(&vm->qemu);
    vm_ports_close(&vm->ports);
    virtio_vsock_stop(&vm->vsock);
    virtio_nsm_stop(&vm->nsm);
    nsm_module_stop(&vm->module);
    vm_image_clear(&vm->image);
    if (vm->folder[0] != '\0')
        rmdir(vm->folder);
    if (vm->stop.fd >= 0)
        close(vm->stop.fd);
    event_loop_clear(&vm->loop);
}

bool vm_run(struct vm_options *options, struct error *err)
{
    struct vm *vm = calloc(1, sizeof *vm);
    if (vm == NULL)
        return error_set(err, ERROR_MEMORY, "no memory for a virtual machine");
    vm->options = options;
    vm->loop.fd = vm->image.kernel = vm->image.ramdisk = -1;
    vm->qemu.pidfd = vm->qemu.console = vm->qemu.messages = -1;
    bool ok = prepare(vm, err) && serve(vm, err);
    clean_up(vm);
    free(vm);
    return ok;
}
