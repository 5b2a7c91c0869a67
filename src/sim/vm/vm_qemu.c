/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_qemu.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "sim/vm/vm_kvm.h"
#include "sim/vm/vm_tsc.h"

#define ARGS_MAX 64

/* The descriptors that QEMU gets, besides the three standard ones. */
enum { NSM_FD = 3, VSOCK_FD, KERNEL_FD, RAMDISK_FD, END_FD };

static bool is_program(const char *path)
{
    return access(path, X_OK) == 0;
}

static bool put_path(char *out, const char *folder, const char *rest)
{
    int len = snprintf(out, VM_PATH_MAX, "%s%s", folder, rest);
    return len > 0 && len < VM_PATH_MAX && is_program(out);
}

/* Where scripts/fetch-qemu keeps it. */
static bool find_cached(char *out)
{
    const char *cache = getenv("ENCLAVED_CACHE");
    if (cache != NULL && *cache != '\0')
        return put_path(out, cache, "/qemu/run");
    const char *xdg = getenv("XDG_CACHE_HOME");
    if (xdg != NULL && *xdg != '\0')
        return put_path(out, xdg, "/enclaved/qemu/run");
    const char *home = getenv("HOME");
    return home != NULL && put_path(out, home, "/.cache/enclaved/qemu/run");
}

static bool find_in_path(char *out)
{
    const char *path = getenv("PATH");
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        char folder[VM_PATH_MAX];
        if (len > 0 && len < sizeof folder) {
            memcpy(folder, path, len);
            folder[len] = '\0';
            if (put_path(out, folder, "/qemu-system-x86_64"))
                return true;
        }
        path += len + (path[len] == ':');
    }
    return false;
}

bool vm_qemu_find(struct vm_qemu *qemu, const char *named, struct error *err)
{
    const char *from = "--qemu";
    if (named == NULL) {
        named = getenv("ENCLAVE_QEMU");
        from = "$ENCLAVE_QEMU";
    }
    if (named != NULL && *named != '\0')
        return put_path(qemu->program, named, "") ||
               error_set_errno(err, ERROR_SYSTEM, "%s: %.200s cannot be run", from, named);
    return find_cached(qemu->program) || find_in_path(qemu->program) ||
           error_set(
               err, ERROR_SYSTEM,
               "QEMU was not found: run scripts/fetch-qemu, which keeps it in a cache folder and "
               "installs nothing, or give QEMU 11.1 or newer with --qemu FILE");
}

/*
 * Added to the image's command line if the CPU is emulated, because KVM and Nitro give a guest this
 * information in other ways. On a busy machine QEMU's timer thread is sometimes late. Linux then
 *   - panics at boot, when it waits a few ticks for its timer ("IO-APIC + timer doesn't work!");
 *   - cannot measure the rate of its time stamp counter, or trusts its lost ticks more than that
 *     counter, and its clock is slow: by a seventh in one measurement.
 * The rate that is added is that of this machine's counter. A word for which the command line has
 * no room is left out.
 */
static void add_words(char *added, size_t room, bool kvm)
{
    char words[2][48] = {" no_timer_check", ""};
    uint32_t khz = kvm ? 0 : vm_tsc_khz();
    if (khz > 0)
        snprintf(words[1], sizeof words[1], " tsc=reliable tsc_early_khz=%u", khz);
    *added = '\0';
    for (size_t i = 0; !kvm && i < ARRAY_LEN(words); i++) {
        size_t len = strlen(words[i]);
        if (len > room) {
            log_warning("vm: the command line has no room for%s: on a busy machine the guest may "
                        "fail to start, or its clock be slow",
                        words[i]);
            continue;
        }
        memcpy(added, words[i], len + 1);
        added += len;
        room -= len;
    }
}

#define ADDED_SIZE 100 /* more than add_words adds */

struct arguments {
    const char *at[ARGS_MAX];
    size_t count;
    char backend[80];
    char memory[16];
    char cpus[16];
    char added[ADDED_SIZE];
    char cmdline[EIF_CMDLINE_MAX + ADDED_SIZE]; /* QEMU adds its devices */
};

static void put(struct arguments *args, const char *one, const char *two)
{
    args->at[args->count++] = one;
    if (two != NULL)
        args->at[args->count++] = two;
    args->at[args->count] = NULL;
}

/*
 * The machine looks like Nitro's to an enclave: no PCI, no ACPI, two virtio-mmio devices that QEMU
 * announces at the end of the kernel's command line. The i8042 takes the request to reboot
 * (reboot=k), on which QEMU ends.
 */
static void machine_arguments(struct arguments *args, const struct vm_options *options,
                              uint32_t memory_mib, bool kvm)
{
    snprintf(args->backend, sizeof args->backend,
             "memory-backend-memfd,id=mem0,size=%uM,share=on,seal=on", memory_mib);
    snprintf(args->memory, sizeof args->memory, "%uM", memory_mib);
    snprintf(args->cpus, sizeof args->cpus, "%u", options->cpus);
    put(args, "-M", "microvm,acpi=off,pit=on,pic=on,rtc=on,x-option-roms=off,memory-backend=mem0");
    put(args, "-object", args->backend);
    put(args, "-m", args->memory);
    put(args, "-smp", args->cpus);
    put(args, "-accel", kvm ? "kvm" : "tcg");
    /* In emulation, modular exponentiation (RSA keys) takes the same time with every model
     * measured, from qemu64 to max; AES-GCM is three times as fast with models that have AES-NI. */
    put(args, "-cpu", kvm ? "host" : "max");
    put(args, "-nodefaults", "-no-user-config");
    put(args, "-no-reboot", NULL);
    put(args, "-display", "none");
    /* The sandbox denies only what this guest never needs. */
    put(args, "-sandbox",
        "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
}

static void device_arguments(struct arguments *args)
{
    put(args, "-global", "virtio-mmio.force-legacy=false");
    put(args, "-device", "i8042");
    put(args, "-chardev", "stdio,id=console,signal=off");
    put(args, "-serial", "chardev:console");
    put(args, "-chardev", "socket,id=vsock,fd=4");
    put(args, "-device", "vhost-user-vsock-device,chardev=vsock");
    put(args, "-chardev", "socket,id=nsm,fd=3");
    put(args, "-device", "vhost-user-test-device,chardev=nsm,virtio-id=33,num_vqs=1");
}

/* Moves each descriptor to its number, by way of numbers that none of them will take. */
static bool place_descriptors(const int from[END_FD])
{
    int high[END_FD];
    for (int i = 0; i < END_FD; i++)
        high[i] = from[i] < 0 ? -1 : fcntl(from[i], F_DUPFD_CLOEXEC, END_FD + 16);
    for (int i = 0; i < END_FD; i++)
        if (from[i] >= 0 && (high[i] < 0 || dup2(high[i], i) < 0))
            return false;
    return true;
}

/* QEMU must not see the rest of the environment, which may contain credentials. */
static bool clear_environment(void)
{
    const char *path = getenv("PATH");
    char kept[VM_PATH_MAX];
    int len = snprintf(kept, sizeof kept, "%s", path != NULL ? path : "/usr/bin:/bin");
    return clearenv() == 0 && len < (int)sizeof kept && setenv("PATH", kept, 1) == 0;
}

/* In the child; never returns. Sends errno through report if the program cannot be executed. */
static _Noreturn void become(const struct vm_qemu *qemu, const struct arguments *args, pid_t parent,
                             const int from[END_FD], int report)
{
    int high = fcntl(report, F_DUPFD_CLOEXEC, END_FD + 64);
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    bool bound = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
    if (bound && high >= 0 && place_descriptors(from) && clear_environment()) {
        sigprocmask(SIG_SETMASK, &none, NULL);
        signal(SIGPIPE, SIG_DFL);
        execv(qemu->program, (char *const *)(uintptr_t)args->at);
    }
    int reason = errno;
    ssize_t n = write(high, &reason, sizeof reason);
    _exit(n == (ssize_t)sizeof reason ? 127 : 126);
}

/* Waits until the child runs QEMU. False, with errno: it could not. */
static bool await_exec(int report)
{
    int reason = 0;
    ssize_t n;
    do
        n = read(report, &reason, sizeof reason);
    while (n < 0 && errno == EINTR);
    errno = reason;
    return n == 0;
}

/* Read ends first; -1: closed, or passed on. */
struct pipes {
    int console[2];
    int messages[2];
    int report[2];
};

static bool open_pipes(struct pipes *pipes)
{
    return pipe2(pipes->console, O_CLOEXEC) == 0 && pipe2(pipes->messages, O_CLOEXEC) == 0 &&
           pipe2(pipes->report, O_CLOEXEC) == 0;
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static bool start_child(struct vm_qemu *qemu, const struct arguments *args, const int from[END_FD],
                        struct pipes *pipes)
{
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0)
        become(qemu, args, parent, from, pipes->report[1]);
    if (child < 0)
        return false;
    qemu->pid = child;
    setpgid(child, child); /* here, too: it must be set before anybody signals the group */
    close(pipes->report[1]);
    pipes->report[1] = -1;
    qemu->pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    return qemu->pidfd >= 0 && await_exec(pipes->report[0]);
}

static bool take_outputs(struct vm_qemu *qemu, struct pipes *pipes)
{
    if (fcntl(pipes->console[0], F_SETFL, O_NONBLOCK) != 0 ||
        fcntl(pipes->messages[0], F_SETFL, O_NONBLOCK) != 0)
        return false;
    qemu->console = pipes->console[0];
    qemu->messages = pipes->messages[0];
    pipes->console[0] = pipes->messages[0] = -1;
    return true;
}

/* from: the descriptors for the child, of which this fills in the standard ones. */
static bool spawn(struct vm_qemu *qemu, const struct arguments *args, int from[END_FD])
{
    struct pipes pipes = {{-1, -1}, {-1, -1}, {-1, -1}};
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    bool ok = null >= 0 && open_pipes(&pipes);
    from[0] = null;
    from[1] = pipes.console[1];
    from[2] = pipes.messages[1];
    ok = ok && start_child(qemu, args, from, &pipes) && take_outputs(qemu, &pipes);
    int reason = errno;
    close_pair(pipes.console);
    close_pair(pipes.messages);
    close_pair(pipes.report);
    if (null >= 0)
        close(null);
    errno = reason;
    return ok;
}

bool vm_qemu_start(struct vm_qemu *qemu, const struct vm_options *options,
                   const struct vm_image *image, uint32_t memory_mib, int nsm, int vsock,
                   struct error *err)
{
    struct arguments args = {0};
    int from[END_FD] = {-1, -1, -1, nsm, vsock, image->kernel, image->ramdisk};
    qemu->kvm =
        options->accel == VM_ACCEL_KVM || (options->accel == VM_ACCEL_AUTO && vm_kvm_works());
    put(&args, "qemu-system-x86_64", NULL);
    machine_arguments(&args, options, memory_mib, qemu->kvm);
    device_arguments(&args);
    put(&args, "-kernel", "/dev/fd/5");
    if (image->ramdisk >= 0)
        put(&args, "-initrd", "/dev/fd/6");
    add_words(args.added, EIF_CMDLINE_MAX - strlen(image->cmdline), qemu->kvm);
    snprintf(args.cmdline, sizeof args.cmdline, "%s%s", image->cmdline, args.added);
    put(&args, "-append", args.cmdline);
    log_info("vm: %s, %u MiB, %u CPU%s, %s", qemu->program, memory_mib, options->cpus,
             options->cpus == 1 ? "" : "s",
             qemu->kvm ? "hardware acceleration" : "software emulation");
    log_info("vm: added to the command line, not measured:%s virtio_mmio.device=... for each of "
             "the two devices",
             args.added);
    if (spawn(qemu, &args, from))
        return true;
    (void)error_set_errno(err, ERROR_SYSTEM, "cannot start %.200s", qemu->program);
    vm_qemu_stop(qemu);
    return false;
}

bool vm_qemu_ended(struct vm_qemu *qemu)
{
    if (qemu->pid == 0)
        return true;
    if (waitpid(qemu->pid, &qemu->status, WNOHANG) != qemu->pid)
        return false;
    qemu->pid = 0;
    return true;
}

void vm_qemu_stop(struct vm_qemu *qemu)
{
    if (qemu->pid > 0) {
        kill(-qemu->pid, SIGKILL); /* the guest has nothing to save */
        while (waitpid(qemu->pid, &qemu->status, 0) < 0 && errno == EINTR)
            continue;
        qemu->pid = 0;
    }
    int *const fds[] = {&qemu->pidfd, &qemu->console, &qemu->messages};
    for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
        if (*fds[i] >= 0)
            close(*fds[i]);
        *fds[i] = -1;
    }
}
