/* SPDX-License-Identifier: Apache-2.0 */
/* From an image to a running enclave and to its end. */
#ifndef SIM_VM_VM_RUN_H
#define SIM_VM_VM_RUN_H

#include "sim/vm/vm_options.h"

/*
 * Boots the image and serves it until it ends, or SIGINT or SIGTERM come; nothing of it is left
 * then. options gets the addresses that were not given. True: it ended in order. Prints `ready
 * ADDRESS...` on standard output when the enclave has given its heartbeat.
 */
MUST_USE bool vm_run(struct vm_options *options, struct error *err);

#endif
