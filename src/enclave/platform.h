/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclaved, enclaved-init and enclaved-dev are the same program but for this much. What differs is
 * fixed when they are linked: there is no way to make one behave as another while it runs.
 */
#ifndef ENCLAVE_PLATFORM_H
#define ENCLAVE_PLATFORM_H

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
    uint32_t peer_cid; /* who alone may connect over vsock; VMADDR_CID_ANY: anyone */
    /* Called, unless NULL, once connections are taken, before the first is served; a failure ends
     * the start. */
    bool (*listening)(struct error *err);
};

/* Of enclaved: what an enclave is. */
extern const struct platform enclaved_platform;

/* The whole of main. */
int enclaved_main(int argc, char **argv, const struct platform *platform);

#endif
