/* SPDX-License-Identifier: Apache-2.0 */
#include "sim/vm/vm_kvm.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/kvm.h>

#define CODE_AT  0x1000
#define ROOM     0x4000
#define LIMIT_US 100000 /* for the loop: it takes about 1 ms in hardware, 2 s if interpreted */
#define GRACE_MS 2000   /* to wait for the child, even if the kernel holds it */

/* 32-bit code without paging: a million rounds of a loop that writes to memory, then halt. */
static const uint8_t code[] = {
    0xb9, 0x40, 0x42, 0x0f, 0x00,       /* mov ecx, 1000000 */
    0x01, 0x0d, 0x00, 0x20, 0x00, 0x00, /* add [0x2000], ecx */
    0x49,                               /* dec ecx */
    0x75, 0xf7,                         /* jnz to the add */
    0xf4,                               /* hlt */
};

static bool set_state(int vcpu)
{
    struct kvm_sregs s;
    if (ioctl(vcpu, KVM_GET_SREGS, &s) != 0)
        return false;
    s.cr0 |= 1; /* protected mode, flat segments */
    s.ds = (struct kvm_segment){
        .limit = UINT32_MAX, .selector = 16, .type = 3, .present = 1, .db = 1, .s = 1, .g = 1};
    s.es = s.fs = s.gs = s.ss = s.ds;
    s.cs = s.ds;
    s.cs.selector = 8;
    s.cs.type = 11;
    struct kvm_regs regs = {.rip = CODE_AT, .rflags = 2};
    return ioctl(vcpu, KVM_SET_SREGS, &s) == 0 && ioctl(vcpu, KVM_SET_REGS, &regs) == 0;
}

/* Runs in a child, whose end closes everything it opened. */
static bool run_loop(void)
{
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    int vm = kvm < 0 ? -1 : ioctl(kvm, KVM_CREATE_VM, 0);
    void *memory = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (vm < 0 || memory == MAP_FAILED)
        return false;
    memcpy(memory, code, sizeof code);
    struct kvm_userspace_memory_region region = {
        .guest_phys_addr = CODE_AT, .memory_size = ROOM, .userspace_addr = (uintptr_t)memory};
    int vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    if (vcpu < 0 || size <= 0 || ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) != 0)
        return false;
    struct kvm_run *run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
    if (run == MAP_FAILED || !set_state(vcpu))
        return false;
    /* The default action ends the child, also during KVM_RUN. */
    struct itimerval limit = {.it_value.tv_usec = LIMIT_US};
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &limit, NULL);
    return ioctl(vcpu, KVM_RUN, 0) == 0 && run->exit_reason == KVM_EXIT_HLT;
}

static bool wait_for(pid_t child)
{
    for (int waited = 0; waited < GRACE_MS; waited++) {
        int status;
        pid_t got = waitpid(child, &status, WNOHANG);
        if (got == child)
            return WIFEXITED(status) && WEXITSTATUS(status) == 0;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    kill(child, SIGKILL); /* init collects it at the latest when we end */
    return false;
}

bool vm_kvm_works(void)
{
    if (access("/dev/kvm", R_OK | W_OK) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(run_loop() ? 0 : 1);
    }
    return child > 0 && wait_for(child);
}
