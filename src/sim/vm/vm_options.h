/* SPDX-License-Identifier: Apache-2.0 */
/* The options of enclave-sim vm. */
#ifndef SIM_VM_VM_OPTIONS_H
#define SIM_VM_VM_OPTIONS_H

#include "cli/cli.h"
#include "sim/nsm/nsm_engine.h"
#include "sim/nsm/nsm_fault.h"
#include "sim/vsock/vsock.h"

#define VM_PORTS_MAX        16 /* of each of --listen and --connect */
#define VM_CPUS_MAX         64 /* the most that the kernel of this project can use */
#define VM_MEMORY_MIN_MIB   64 /* nitro-cli's smallest */
#define VM_MEMORY_MAX_MIB   (1u << 20)
#define VM_MEMORY_DEFAULT   128 /* MiB, or four times the image if that is more */
#define VM_BOOT_TIMEOUT_S   60
#define VM_BOOT_TIMEOUT_MAX 3600
#define VM_CID_DEFAULT      16
#define VM_ENCLAVE_PORT     5000 /* where enclaved serves */
#define VM_HEARTBEAT_PORT   9000 /* where nitro-cli waits for the heartbeat */

enum vm_accel { VM_ACCEL_AUTO, VM_ACCEL_KVM, VM_ACCEL_TCG };

/* A host address whose connections arrive at a port of the enclave. */
struct vm_listen {
    uint32_t port;
    uint64_t cid; /* of the parent, as the enclave sees it */
    struct address address;
};

struct vm_options {
    const char *image;
    const char *qemu;    /* NULL: search for it */
    uint32_t memory_mib; /* 0: chosen by the size of the image */
    uint32_t cpus;
    uint32_t cid;
    uint32_t boot_timeout_s;
    enum vm_accel accel;
    const char *root;
    const char *state;
    struct nsm_engine_config engine;
    struct nsm_fault fault;
    struct vm_listen listens[VM_PORTS_MAX];
    size_t listen_count; /* 0: a unix socket of the command's own for VM_ENCLAVE_PORT */
    struct vsock_target targets[VM_PORTS_MAX];
    size_t target_count;
};

#define VM_OPTIONS 13
extern const struct cli_option vm_options_table[VM_OPTIONS];

/* What no single option shows to be wrong (cli/cli.h). ERROR_USAGE. */
MUST_USE bool vm_options_check(void *options, struct error *err);

#endif
