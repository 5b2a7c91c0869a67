/* SPDX-License-Identifier: Apache-2.0 */
/* Whether hardware acceleration is worth trying. */
#ifndef SIM_VM_VM_KVM_H
#define SIM_VM_VM_KVM_H

#include <stdbool.h>

/*
 * Whether /dev/kvm runs guest code at the speed of the machine. Some machines have the device and
 * no hardware behind it for us: inside other virtual machines it may interpret every instruction,
 * so that a kernel seems to hang while it unpacks itself. So a small loop is run in it, with a
 * limit of time that hardware stays far below. Takes a tenth of a second at most.
 */
bool vm_kvm_works(void);

#endif
