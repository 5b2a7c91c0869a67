/* SPDX-License-Identifier: Apache-2.0 */
/* QEMU as a child process: where it is, its command line, its start and its end. */
#ifndef SIM_VM_VM_QEMU_H
#define SIM_VM_VM_QEMU_H

#include <sys/types.h>

#include "sim/vm/vm_image.h"
#include "sim/vm/vm_options.h"

#define VM_PATH_MAX 4096

struct vm_qemu {
    char program[VM_PATH_MAX];
    bool kvm;
    pid_t pid;    /* 0: not running */
    int pidfd;    /* readable once it has ended; -1: none */
    int console;  /* reads the guest's console; -1: none */
    int messages; /* reads the messages of QEMU itself */
    int status;   /* from waitpid, once it has ended */
};

/*
 * Finds the program: named (--qemu), $ENCLAVE_QEMU, the one that scripts/fetch-qemu keeps, or
 * qemu-system-x86_64 in PATH. ERROR_SYSTEM, with the remedy, if there is none.
 */
MUST_USE bool vm_qemu_find(struct vm_qemu *qemu, const char *named, struct error *err);

/*
 * Starts it in a process group of its own; it ends with this process at the latest. nsm and vsock:
 * the front ends' sides of the socket pairs of the two devices; they stay the caller's. memory_mib:
 * the memory of the guest.
 */
MUST_USE bool vm_qemu_start(struct vm_qemu *qemu, const struct vm_options *options,
                            const struct vm_image *image, uint32_t memory_mib, int nsm, int vsock,
                            struct error *err);

/* Kills it, if it still runs, and collects it. */
void vm_qemu_stop(struct vm_qemu *qemu);
/* Whether it has ended; collects its status then. */
bool vm_qemu_ended(struct vm_qemu *qemu);

#endif
