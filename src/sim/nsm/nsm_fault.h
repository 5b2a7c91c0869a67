/* SPDX-License-Identifier: Apache-2.0 */
/* Faults that the simulated module commits on request, to test how an enclave handles them. */
#ifndef SIM_NSM_NSM_FAULT_H
#define SIM_NSM_NSM_FAULT_H

#include "base/buffer.h"
#include "base/error.h"

enum nsm_fault_kind {
    NSM_FAULT_NONE,
    NSM_FAULT_ERROR,
    NSM_FAULT_SHORT,
    NSM_FAULT_SILENT,
    NSM_FAULT_GARBAGE
};

struct nsm_fault {
    enum nsm_fault_kind kind;
    char error[32];   /* with NSM_FAULT_ERROR: the module's error */
    char request[32]; /* only for requests with this name; empty: for all */
};

/*
 * Parses error:NAME|short|silent|garbage[:REQUEST] into a struct nsm_fault: the function of a row
 * of options (cli/cli.h). ERROR_USAGE.
 */
MUST_USE bool nsm_fault_parse(void *place, const char *option, const char *text, struct error *err);

/* Whether the fault applies to request. */
bool nsm_fault_hits(const struct nsm_fault *fault, struct bytes request);

/* Spoils the correct response to such a request. False: send nothing at all. */
bool nsm_fault_apply(const struct nsm_fault *fault, struct buffer *response);

#endif
