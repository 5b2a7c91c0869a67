/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one exchange that `configure`, its --watch and `dev` share: credentials and the wrapped TSK
 * to enclaved (docs/protocol.md, configure).
 */
#ifndef HOST_CLIENT_DELIVERY_H
#define HOST_CLIENT_DELIVERY_H

#include "host/client/client.h"
#include "host/context.h"
#include "host/credentials/credentials.h"

#define DELIVERY_LIMIT 262144 /* bytes of a request */
/* Of all attempts; enclaved answers each within attempt_seconds. */
#define DELIVERY_TIMEOUT_MS 90000

/* What goes with the credentials, to a service that has nothing yet. */
struct delivery {
    const char *region;                     /* NULL: not sent */
    const char *wrapped_tsk_file;           /* NULL: ENCRYPTED_TSK, else none is sent */
    const char *context[CONTEXT_PAIRS_MAX]; /* each has passed context_check */
    size_t context_count;
};

/*
 * Delivers credentials over a new connection to an address. whole: with the wrapped TSK, region and
 * context, not the credentials alone. client is initialized by the caller; a connection and an
 * answer that it still holds are let go. True if there is an answer, in client: see client_refused.
 * A failure that may pass (KMS throttles, or cannot be reached) is repeated after a pause, with a
 * note on standard error, for as long as client's time limit allows.
 */
MUST_USE bool delivery_send(const struct delivery *delivery, const char *to,
                            const struct credentials *credentials, bool whole,
                            struct client *client, struct error *err);

#endif
