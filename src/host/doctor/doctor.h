/* SPDX-License-Identifier: Apache-2.0 */
/* The checks of `enclavectl doctor`: what each found, why, and what to do about it. */
#ifndef HOST_DOCTOR_DOCTOR_H
#define HOST_DOCTOR_DOCTOR_H

#include "codec/json.h"
#include "host/common.h"
#include "host/context.h"

#define CHECKS_MAX        96
#define DOCTOR_ANSWER_MAX 65536 /* bytes of measurements, or of an answer to health */
#define DOCTOR_PATH_SIZE  512
#define DOCTOR_SOON_US    INT64_C(300000000) /* credentials that expire sooner get a warning */
#define DOCTOR_ROUTES     16                 /* of a relay that runs: as many as it can have */

enum check_result { CHECK_OK, CHECK_WARN, CHECK_FAIL };

struct check {
    char name[24];
    enum check_result result;
    char cause[600];
    char remedy[400]; /* empty: nothing to do */
};

/* Where a relay that runs listens, and where that leads. */
struct doctor_route {
    char listen[128];
    char to[300]; /* HOST:PORT */
};

struct doctor {
    struct common common;
    const char *root;                       /* --sysroot: stands for /; "": / */
    const char *profile;                    /* --profile: of the AWS credentials */
    const char *relay_status;               /* --relay-status; NULL: where systemd's relay has it */
    const char *relay;                      /* --relay */
    const char *endpoint;                   /* --endpoint: the name of KMS */
    const char *roots;                      /* --roots: PEM file */
    const char *policy;                     /* --policy: a key policy, JSON */
    const char *measurements;               /* --measurements: measurements, JSON */
    const char *principal;                  /* --principal: who asks */
    const char *context[CONTEXT_PAIRS_MAX]; /* --encryption-context K=V */
    size_t context_count;
    struct buffer health; /* the service's answer to health; empty: none */
    struct doctor_route routes[DOCTOR_ROUTES];
    size_t route_count;
    char key_arn[256]; /* as the service reports it; empty: unknown */
    bool denied;       /* the service reports that a key policy refused it */
    struct check checks[CHECKS_MAX];
    size_t count;
};

/* Adds a check. remedy may be NULL. A cause that is too long is cut. */
void doctor_add(struct doctor *doctor, const char *name, enum check_result result,
                const char *remedy, const char *cause, ...) PRINTF_LIKE(5, 6);

/* Prints all checks. Returns the exit code: EXIT_REFUSED if one failed. */
int doctor_print(const struct doctor *doctor);

/* A file of this machine, below --sysroot. False if the path is too long. */
MUST_USE bool doctor_path(const struct doctor *doctor, const char *path,
                          char out[DOCTOR_PATH_SIZE]);
bool doctor_there(const struct doctor *doctor, const char *path);

void doctor_nsm(struct doctor *doctor);   /* /dev/nsm */
void doctor_vsock(struct doctor *doctor); /* AF_VSOCK */
void doctor_clock(struct doctor *doctor);
void doctor_credentials(struct doctor *doctor); /* what AWS credentials there are, and whose */
void doctor_deployed(struct doctor *doctor);    /* the relay that runs here */
void doctor_service(struct doctor *doctor);     /* --to: state, credentials, last error */
void doctor_relay(struct doctor *doctor);       /* --relay: reachable, TLS, the clock of KMS; after
                                                 * doctor_deployed */
void doctor_policy(struct doctor *doctor);      /* --policy against --measurements, or what runs */

#endif
