/* SPDX-License-Identifier: Apache-2.0 */
/* Whether hardware acceleration is usable. */
#ifndef SIM_VM_VM_KVM_H
#define SIM_VM_VM_KVM_H

#include <stdbool.h>

/*
 * Whether /dev/kvm runs guest code at the speed of the machine. In some virtual machines the device
 * exists but interprets every instruction, so that a kernel seems to hang while it unpacks itself.
 * Runs a small loop with a time limit that hardware stays far below. Takes at most a tenth of a
 * second.
 */
bool vm_kvm_works(void);

#endif
