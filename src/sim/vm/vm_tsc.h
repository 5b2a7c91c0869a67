/* SPDX-License-Identifier: Apache-2.0 */
/* The rate of this machine's time stamp counter. */
#ifndef SIM_VM_VM_TSC_H
#define SIM_VM_VM_TSC_H

#include <stdint.h>

/* In kHz, measured in a twentieth of a second, to about 20 millionths; 0: this machine has none. */
uint32_t vm_tsc_khz(void);

#endif
