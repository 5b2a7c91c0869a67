/* SPDX-License-Identifier: Apache-2.0 */
/* The rate of this machine's time stamp counter. */
#ifndef SIM_VM_VM_TSC_H
#define SIM_VM_VM_TSC_H

#include <stdint.h>

/* In kHz, measured for a twentieth of a second, accurate to about 20 ppm; 0: no counter. */
uint32_t vm_tsc_khz(void);

#endif
