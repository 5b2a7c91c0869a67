/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enclaved, enclaved-init and enclaved-dev are the same program but for this much. What differs is
 * fixed when they are linked: there is no way to make one behave as another while it runs.
 */
#ifndef ENCLAVE_PLATFORM_H
#define ENCLAVE_PLATFORM_H

#include "config/config.h"
#include "enclave/entropy.h"
#include "enclave/session.h"

struct platform {
    const char *program;
    address_parser *parse_address;
    /* where: the value of --nsm; NULL: none was given. */
    bool (*open_nsm)(struct nsm *nsm, const char *where, struct error *err);
    enum entropy_credit credit;
    bool lock_required;
    uint32_t peer_cid; /* who alone may connect over vsock; VMADDR_CID_ANY: anyone */

    /* The rest may be NULL. */
    bool (*take_secrets)(struct initial_secrets *secrets, struct error *err); /* before the files */
    /* After the socket listens, before a connection is served; a failure ends the start. */
    bool (*listening)(struct address *listen, int fd, struct error *err);
    void (*stopped)(const struct address *listen); /* after listening */
};

/* What enclaved and enclaved-init run on. */
extern const struct platform enclaved_platform;

/* What a command line may choose. */
struct start_options {
    const char *config;
    const char *listen; /* NULL: as configured */
    const char *nsm;    /* NULL: none given */
    const char *roots;  /* to check instead of the configured ones, with check_only */
    bool check_only;
    bool verbose;
};

/* The whole service; returns the exit code. */
int enclaved_run(const struct platform *platform, const struct start_options *options);

#endif
