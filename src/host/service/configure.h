/* SPDX-License-Identifier: Apache-2.0 */
/* What `configure` was asked for, and the one exchange that it, --watch and dev make of it. */
#ifndef HOST_SERVICE_CONFIGURE_H
#define HOST_SERVICE_CONFIGURE_H

#include "host/client/client.h"
#include "host/credentials/credentials.h"

#define CONFIGURE_CONTEXT_MAX   32     /* pairs of an encryption context */
#define CONFIGURE_REQUEST_LIMIT 262144 /* bytes */
#define CONFIGURE_TIMEOUT_MS    90000  /* enclaved answers after KMS has, within total_seconds */
#define WRAPPED_TSK_MAX         6144   /* KMS's limit on a CiphertextBlob, bytes */

struct configure {
    struct common common;
    const char *profile;                        /* NULL: as the environment says */
    const char *region;                         /* NULL: not sent */
    const char *wrapped_tsk_file;               /* NULL: ENCRYPTED_TSK, else none is sent */
    const char *context[CONFIGURE_CONTEXT_MAX]; /* K=V */
    size_t context_count;
    bool watch;
    int64_t check_ms; /* --watch: how often the service is asked for its state */
};

/*
 * Builds the configure request in out, a secret buffer. whole: with the wrapped TSK, region and
 * context, not the credentials alone.
 */
MUST_USE bool configure_build(const struct configure *configure,
                              const struct credentials *credentials, bool whole, struct buffer *out,
                              struct error *err);

/*
 * Delivers credentials over a new connection. True if there is an answer, in client (initialized by
 * the caller; what it held is closed): see client_refused.
 */
MUST_USE bool configure_send(const struct configure *configure,
                             const struct credentials *credentials, bool whole,
                             struct client *client, struct error *err);

/* Stays, renews, ends on SIGINT or SIGTERM; returns the exit code. */
int configure_watch(const struct configure *configure);

#endif
