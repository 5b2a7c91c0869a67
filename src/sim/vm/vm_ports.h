/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of the enclave's vsock: listening sockets whose connections arrive in the guest,
 * and the answer to the heartbeat, which nitro-cli gives on Nitro (aws-nitro-enclaves-cli,
 * blobs/init/init.c: the enclave connects to its parent's port 9000, writes 0xB7 and reads it
 * back).
 */
#ifndef SIM_VM_VM_PORTS_H
#define SIM_VM_VM_PORTS_H

#include "sim/device/virtio_vsock.h"
#include "sim/vm/vm_options.h"

#define VM_HEARTBEAT 0xb7

struct vm_port {
    struct event_source source; /* fd -1: closed */
    struct vm_ports *ports;
    const struct vm_listen *listen;
    struct address bound;
};

struct vm_ports {
    struct event_loop *loop;
    struct vsock *vsock;
    struct vm_port port[VM_PORTS_MAX];
    size_t count;
    struct event_source heartbeat; /* our end of the guest's connection; fd -1: none */
    bool started;                  /* the heartbeat was answered */
    void *context;
    void (*on_start)(void *context);
};

/* Listens at the addresses of options. ERROR_ADDRESS, ERROR_SYSTEM; some may be open then. */
MUST_USE bool vm_ports_open(struct vm_ports *ports, const struct vm_options *options,
                            struct error *err);
/* Accepts connections from now on. */
MUST_USE bool vm_ports_serve(struct vm_ports *ports, struct error *err);
/* Closes everything and removes socket files. Safe on a zeroed struct. */
void vm_ports_close(struct vm_ports *ports);

/* Accepts again after descriptors had run out; to be called from time to time. */
void vm_ports_tick(struct vm_ports *ports);

/* For a vsock_target: opens the guest's connection to the heartbeat's port; context: vm_ports. */
int vm_heartbeat_open(void *context);

#endif
