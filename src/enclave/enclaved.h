/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclaved and enclaved-dev are the same program but for this much. What differs is fixed when they
 * are linked: there is no way to make one behave as the other while it runs.
 */
#ifndef ENCLAVE_ENCLAVED_H
#define ENCLAVE_ENCLAVED_H

#include "enclave/entropy.h"
#include "enclave/nsm.h"

struct platform {
    const char *program;
    const char *nsm_option; /* a long option that says where the NSM is; NULL: there is none */
    const char *nsm_help;
    /* where: the option's value, or NULL. */
    bool (*open_nsm)(struct nsm *nsm, const char *where, struct error *err);
    enum entropy_credit credit;
    bool lock_required;
};

/* The whole of main. */
int enclaved_main(int argc, char **argv, const struct platform *platform);

#endif
