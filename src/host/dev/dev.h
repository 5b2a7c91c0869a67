/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `enclavectl dev`: enclaved-dev, a simulated NSM and a simulated KMS on this machine, connected as
 * in production: attestation, key policy on the measurement, wrapped session key, credentials that
 * expire. With --kernel it is enclaved in an image, in a virtual machine that contains the NSM.
 */
#ifndef HOST_DEV_DEV_H
#define HOST_DEV_DEV_H

#include <limits.h>

#include "host/common.h"
#include "host/credentials/credentials.h"
#include "system/child.h"

#define DEV_REGION  "us-east-1"
#define DEV_ACCOUNT "000000000000" /* twelve digits that belong to nobody */
#define DEV_HOST    "kms." DEV_REGION ".amazonaws.com"
#define DEV_ROLE    "arn:aws:iam::" DEV_ACCOUNT ":role/enclaved-dev"
#define DEV_SESSION "arn:aws:sts::" DEV_ACCOUNT ":assumed-role/enclaved-dev/session"
#define DEV_ROOT    "arn:aws:iam::" DEV_ACCOUNT ":root"

/* The encryption context of the development TSK, pinned in the configuration. */
#define DEV_CONTEXT_JSON "{\"application\": \"enclaved\", \"environment\": \"development\"}"
#define DEV_CONTEXT_1    "application=enclaved"
#define DEV_CONTEXT_2    "environment=development"

#define DEV_WAIT_MS   30000 /* for a child to be ready, and for one KMS call */
#define DEV_GRACE_MS  5000  /* for a child to end */
#define DEV_PATH_MAX  1024  /* enclaved's limit on a path in its configuration */
#define DEV_LINE_SIZE 400   /* of a log, as messages show it */

struct dev {
    struct common common;
    const char *listen;
    const char *tsk_file;       /* NULL: a new TSK */
    const char *dir;            /* NULL: in run, removed at the end */
    int64_t credential_seconds; /* how long credentials last */

    const char *kernel;      /* NULL: enclaved-dev on this machine */
    const char *kernel_lock; /* the sources of the kernel, for the image's metadata; NULL: none */
    const char *boot;   /* an image to boot instead of the one that was built; NULL: that one */
    const char *memory; /* MiB; NULL: the simulator's default */
    const char *cpus;   /* likewise */
    bool debug_mode;
    bool image_only; /* end once the image is built */

    char programs[DEV_PATH_MAX]; /* the folder of enclavectl and the others */
    char run[96];                /* short: the path of a unix socket has at most 107 bytes */
    char state[DEV_PATH_MAX];
    int state_fd;                             /* holds the lock on the state folder */
    int stop_fd;                              /* readable at SIGINT and SIGTERM */
    struct child nsm, kms, way_out, enclaved; /* enclaved: the virtual machine, with --kernel */

    struct credentials admin;    /* of the account's root: keys and policies */
    struct credentials session;  /* what enclaved is configured with */
    struct credentials previous; /* still valid while session is handed over */
    char relay[64];              /* where the simulated KMS listens: tcp:127.0.0.1:PORT */
    char address[300];           /* where enclaved listens */
    char key_arn[256];
    char pcr0[97];
};

/* --- dev_files.c: the files of the state folder --- */

/* state/name into out. ERROR_SYSTEM if it is too long. */
MUST_USE bool dev_path(const struct dev *dev, const char *name, char out[DEV_PATH_MAX],
                       struct error *err);
/* Finds the programs, makes the folders. */
MUST_USE bool dev_folders(struct dev *dev, struct error *err);
/* Makes new credentials that expire after some seconds; 0: never. */
MUST_USE bool dev_new_credentials(struct credentials *out, const char *prefix, int64_t seconds,
                                  struct error *err);
/* Writes the file of credentials that the simulated KMS accepts. */
MUST_USE bool dev_write_credentials(const struct dev *dev, struct error *err);
/* Writes enclaved's configuration. */
MUST_USE bool dev_write_config(const struct dev *dev, struct error *err);
/* Measures enclaved-dev with its configuration: pcr0, measurements.json. */
MUST_USE bool dev_measure(struct dev *dev, struct error *err);
/* The last line of a child's log, or "". */
void dev_last_line(const struct dev *dev, const char *log, char out[DEV_LINE_SIZE]);

/* --- dev_child.c: programs --- */

/*
 * Starts a program of enclavectl's folder, with the log state/NAME.log. Waits at most wait_ms until
 * it prints `ready ADDRESS`; the address is put into ready.
 */
MUST_USE bool dev_launch(const struct dev *dev, struct child *child, const char *name,
                         const char *program, const char *const options[], int64_t wait_ms,
                         char *ready, size_t size, struct error *err);
/* Runs argv to its end, at most wait_ms, with the log state/NAME.log. Its output is dropped. */
MUST_USE bool dev_run(const struct dev *dev, const char *name, const char *const argv[],
                      int64_t wait_ms, struct error *err);

/* --- dev_kms.c: calls to the simulated KMS as the account's root --- */

/* Takes the key of an earlier start, or creates one: key_arn. */
MUST_USE bool dev_key(struct dev *dev, struct error *err);
/* Puts the policy on pcr0. */
MUST_USE bool dev_policy(const struct dev *dev, struct error *err);
/* Wraps the TSK, unless an earlier start did: state/tsk.b64. */
MUST_USE bool dev_wrap(const struct dev *dev, struct error *err);

/* --- dev_vm.c: in a virtual machine --- */

/* Builds the image: state/enclaved.eif, pcr0, measurements.json. */
MUST_USE bool dev_image(struct dev *dev, struct error *err);
/* Starts the relay and boots: address. */
MUST_USE bool dev_boot(struct dev *dev, struct error *err);

/* --- dev_start.c: the whole, from the parts above --- */

/* Starts all and configures enclaved. After a failure dev_stop ends what is running. */
MUST_USE bool dev_start(struct dev *dev, struct error *err);
void dev_stop(struct dev *dev);
/* New session credentials, known to the simulated KMS and delivered. */
MUST_USE bool dev_renew(struct dev *dev, struct error *err);

#endif
