/* SPDX-License-Identifier: Apache-2.0 */
/* Runs an enclave from its image to its end. */
#ifndef SIM_VM_VM_RUN_H
#define SIM_VM_VM_RUN_H

#include "sim/vm/vm_options.h"

/*
 * Boots the image and serves it until it ends, or until SIGINT or SIGTERM; then nothing of it is
 * left. options receives the default addresses. True: it ended in order. Prints `ready ADDRESS...`
 * on standard output when the heartbeat has arrived.
 */
MUST_USE bool vm_run(struct vm_options *options, struct error *err);

#endif
