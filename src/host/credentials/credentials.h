/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS credentials: the value. They live in secret buffers and reach no log, no error text, no
 * command line and no environment of a child.
 */
#ifndef HOST_CREDENTIALS_CREDENTIALS_H
#define HOST_CREDENTIALS_CREDENTIALS_H

#include "base/buffer.h"
#include "base/error.h"
#include "codec/json_writer.h"

#define CREDENTIALS_FIELD_MAX    16384 /* longest key id, secret or token taken, bytes */
#define CREDENTIALS_NEVER_EXPIRE INT64_MAX

struct credentials {
    struct buffer access_key_id; /* secret buffers */
    struct buffer secret_access_key;
    struct buffer session_token; /* empty: none */
    int64_t expires_us;          /* wall clock; CREDENTIALS_NEVER_EXPIRE: unknown */
    char source[256];            /* where they were found, for messages */
};

void credentials_init(struct credentials *credentials);
void credentials_clear(struct credentials *credentials); /* wipes */

/* Writes credentials as members: access_key_id, secret_access_key, session_token?, expiration?. */
void credentials_put(struct json_writer *w, const struct credentials *credentials);

#define ISO_Z_SIZE 32
/* 2026-11-22T13:16:23Z */
void iso_z(char out[ISO_Z_SIZE], int64_t wall_us);

/* For __attribute__((cleanup)). */
#define CREDENTIALS_AUTO __attribute__((cleanup(credentials_clear))) struct credentials

/*
 * Reads {"AccessKeyId", "SecretAccessKey", token_name?, "Expiration"?}, the answer of every source.
 * *err (ERROR_CREDENTIAL_SOURCE) names the origin. version: a member Version must be 1.
 */
MUST_USE bool credentials_from_json(struct credentials *out, struct bytes text,
                                    const char *token_name, bool version, const char *origin,
                                    struct error *err);

/* Puts a text into a field: trimmed, printable ASCII, not empty. ERROR_CREDENTIAL_SOURCE. */
MUST_USE bool credentials_set(struct buffer *field, struct bytes text, const char *name,
                              const char *origin, struct error *err);

#endif
