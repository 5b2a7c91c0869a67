/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulated KMS as a whole, and one request's way through it:
 *
 *     kms_server (HTTPS) → kms_dispatch (fault, authentication, operation by name, log)
 *         → kms_operations (limits, policy, store) → kms_blob, kms_recipient
 */
#ifndef SIM_KMS_KMS_SERVICE_H
#define SIM_KMS_KMS_SERVICE_H

#include <pthread.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "crypto/sigv4.h"
#include "pki/cms_seal.h"
#include "sim/kms/kms_fault.h"
#include "sim/kms_store/kms_store.h"

#define KMS_BODY_MAX    (1u << 20) /* request body: a document of 262144 bytes in base64, and room */
#define KMS_HEADERS_MAX 64
#define KMS_ANSWER_MAX  (1u << 20)

struct kms_service {
    pthread_mutex_t lock; /* held while a request is served: the store takes one thread */
    struct kms_store *store;
    const char *region;
    const char *account;
    const char *credentials_path; /* NULL: those of the store */
    struct stat credentials_seen;
    struct kms_faults *faults;
    struct bytes nsm_root; /* DER */
    enum cms_content envelope;
    int64_t clock_offset_us; /* this KMS's clock minus the machine's */
};

/* An HTTP request; all views belong to the server and live as long as the request. */
struct kms_request {
    char id[KMS_ID_SIZE]; /* x-amzn-RequestId */
    struct bytes method;
    struct bytes target; /* path and query as on the request line */
    struct sigv4_header headers[KMS_HEADERS_MAX];
    size_t header_count;
    struct bytes body;
};

enum kms_delivery {
    KMS_DELIVER_WHOLE,
    KMS_DELIVER_HALF,  /* half of the body, then the connection ends */
    KMS_DELIVER_NEVER, /* nothing, until the client gives up */
    KMS_DELIVER_RESET, /* nothing: the connection is reset */
};

struct kms_answer {
    unsigned status;
    struct buffer body; /* secret */
    enum kms_delivery delivery;
};

/* Now, as this KMS's clock has it; microseconds since 1970. */
int64_t kms_now_us(const struct kms_service *service);

/* Serves request; answer must be zeroed, and its body is the caller's to clear. */
void kms_handle(struct kms_service *service, const struct kms_request *request,
                struct kms_answer *answer);

/* The value of header name (lower case) and, unless NULL, how often it occurs; the first, if many.
 */
struct bytes kms_request_header(const struct kms_request *request, const char *name, size_t *count);

/* Writes a random UUID (RFC 4122, version 4). */
MUST_USE bool kms_new_id(char out[KMS_ID_SIZE]);

#endif
