/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of `enclavectl doctor`: what each found, why, and what to do about it. */
#ifndef HOST_DOCTOR_DOCTOR_H
#define HOST_DOCTOR_DOCTOR_H

#include "codec/json.h"
#include "host/common.h"
#include "host/context.h"

#define CHECKS_MAX        96
#define DOCTOR_ANSWER_MAX 65536 /* bytes of measurements, or of an answer to health */

enum check_result { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check {
    char name[24];
    enum check_result result;
    char cause[600];
    char remedy[400]; /* empty: nothing to do */
};

struct doctor {
    struct common common;
    const char *root;                       /* --sysroot: stands for /, with dev and sys; "": / */
    const char *relay;                      /* --relay */
    const char *endpoint;                   /* --endpoint: the name of KMS */
    const char *roots;                      /* --roots: PEM file */
    const char *policy;                     /* --policy: a key policy, JSON */
    const char *measurements;               /* --measurements: measurements, JSON */
    const char *principal;                  /* --principal: who asks */
    const char *context[CONTEXT_PAIRS_MAX]; /* --encryption-context K=V */
    size_t context_count;
    struct buffer health; /* the service's answer to health; empty: none */
    char key_arn[256];    /* as the service reports it; empty: unknown */
    bool denied;          /* the service reports that a key policy refused it */
    struct check checks[CHECKS_MAX];
    size_t count;
};

/* Adds a check. remedy may be NULL. A cause that is too long is cut. */
void doctor_add(struct doctor *doctor, const char *name, enum check_result result,
                const char *remedy, const char *cause, ...) PRINTF_LIKE(5, 6);

/* Prints all checks. Returns the exit code: EXIT_REFUSED if one failed. */
int doctor_print(const struct doctor *doctor);

void doctor_nsm(struct doctor *doctor);   /* /dev/nsm */
void doctor_vsock(struct doctor *doctor); /* AF_VSOCK */
void doctor_clock(struct doctor *doctor);
void doctor_service(struct doctor *doctor); /* --to: state, credentials, last error */
void doctor_relay(struct doctor *doctor);   /* --relay: reachable, TLS, the clock of KMS */
void doctor_policy(struct doctor *doctor);  /* --policy against --measurements, or what runs */

#endif
