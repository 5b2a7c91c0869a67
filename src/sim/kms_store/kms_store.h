/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the simulated KMS keeps between restarts, in one SQLite file of mode 0600: its certificate
 * authority and server key, KMS keys with their backing key and policy, aliases, credentials, and
 * the sessions that STS gave out.
 *
 * Backing keys are stored unencrypted: real KMS keeps them in an HSM, which a simulator does not
 * have.
 */
#ifndef SIM_KMS_STORE_KMS_STORE_H
#define SIM_KMS_STORE_KMS_STORE_H

#include "base/buffer.h"
#include "base/error.h"
#include "sim/kms_store/kms_id.h"

#define KMS_ARN_SIZE     192  /* longest ARN kept, with its terminator */
#define KMS_ALIAS_SIZE   257  /* alias/NAME, at most 256 characters (KMS API, CreateAlias) */
#define KMS_BACKING_SIZE 32   /* of a symmetric key */
#define KMS_BACKING_MAX  4096 /* of any key */

/* The numbers are stored. sim/kms/kms_kind.h has what each means to callers. */
enum kms_spec { KMS_SYMMETRIC_DEFAULT, KMS_ECC_NIST_P384 };

struct kms_key {
    char id[KMS_ID_SIZE];
    char arn[KMS_ARN_SIZE];
    int64_t created_us;
    bool enabled;
    enum kms_spec spec;
    struct buffer backing; /* secret: KMS_BACKING_SIZE random bytes, or a private key in PEM */
    struct buffer description;
    struct buffer policy;
};

struct kms_credential {
    char access_key_id[129];
    struct buffer secret_access_key;
    struct buffer session_token; /* empty: long-term credentials */
    int64_t expires_us;          /* INT64_MAX: never */
    char principal[KMS_ARN_SIZE];
};

enum store_result { STORE_OK, STORE_ABSENT, STORE_EXISTS, STORE_FAILED };

struct kms_store; /* used by one thread at a time */

/* Opens or creates path. Refuses a file that anybody but its owner may read or write. */
MUST_USE struct kms_store *kms_store_open(const char *path, struct error *err);
void kms_store_close(struct kms_store *store);

void kms_key_init(struct kms_key *key);
void kms_key_clear(struct kms_key *key);
void kms_credential_init(struct kms_credential *credential);
void kms_credential_clear(struct kms_credential *credential);

/* Named values of the simulator itself: its authority and server key. get replaces value. */
MUST_USE enum store_result kms_store_get(struct kms_store *store, const char *name,
                                         struct buffer *value);
MUST_USE enum store_result kms_store_put(struct kms_store *store, const char *name,
                                         struct bytes value);

MUST_USE enum store_result kms_store_key_add(struct kms_store *store, const struct kms_key *key);
/* key must be initialised; its buffers are reset first. */
MUST_USE enum store_result kms_store_key_find(struct kms_store *store, const char *id,
                                              struct kms_key *key);
MUST_USE enum store_result kms_store_key_set_policy(struct kms_store *store, const char *id,
                                                    struct bytes policy);
MUST_USE enum store_result kms_store_key_set_enabled(struct kms_store *store, const char *id,
                                                     bool enabled);

/* name: alias/NAME. STORE_EXISTS if it is taken. */
MUST_USE enum store_result kms_store_alias_add(struct kms_store *store, const char *name,
                                               const char *key_id);
MUST_USE enum store_result kms_store_alias_find(struct kms_store *store, const char *name,
                                                char key_id[KMS_ID_SIZE]);

/* All changes between begin and end are made together or, if commit is false, not at all. */
MUST_USE bool kms_store_begin(struct kms_store *store);
MUST_USE bool kms_store_end(struct kms_store *store, bool commit);

MUST_USE enum store_result kms_store_credentials_remove_all(struct kms_store *store);
MUST_USE enum store_result kms_store_credential_add(struct kms_store *store,
                                                    const struct kms_credential *credential);
/* Keeps a session that STS gave out, and forgets those that expired before forget_us. */
MUST_USE enum store_result kms_store_session_add(struct kms_store *store,
                                                 const struct kms_credential *session,
                                                 int64_t forget_us);
/* Finds a credential or a session. */
MUST_USE enum store_result kms_store_credential_find(struct kms_store *store,
                                                     struct bytes access_key_id,
                                                     struct kms_credential *credential);

#endif
