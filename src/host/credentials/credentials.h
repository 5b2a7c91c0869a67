/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS credentials, found as AWS's tools find them (AWS SDKs and Tools Reference Guide,
 * "Standardized credential providers"), in this order: environment, profile (shared credentials
 * file, then credential_process and keys of the config file), container, instance metadata (IMDSv2
 * only). A profile named outright (--profile) goes before the environment, as with the AWS CLI.
 *
 * They live in secret buffers and reach no log, no error text, no command line and no environment
 * of a child.
 */
#ifndef HOST_CREDENTIALS_CREDENTIALS_H
#define HOST_CREDENTIALS_CREDENTIALS_H

#include "base/buffer.h"
#include "codec/json.h"

#define CREDENTIALS_FIELD_MAX    16384 /* longest key id, secret or token taken, bytes */
#define CREDENTIALS_NEVER_EXPIRE INT64_MAX

struct credentials {
    struct buffer access_key_id; /* secret buffers */
    struct buffer secret_access_key;
    struct buffer session_token; /* empty: none */
    int64_t expires_us;          /* wall clock; CREDENTIALS_NEVER_EXPIRE: not known */
    char source[256];            /* where they were found, for messages */
};

void credentials_init(struct credentials *credentials);
void credentials_clear(struct credentials *credentials); /* wipes */

/*
 * Finds credentials. profile: --profile, or NULL. stop_fd: readable once to give up (-1: none).
 * ERROR_NO_CREDENTIALS with where was looked; other errors where a source is there but broken: it
 * is never passed over for the next one.
 */
MUST_USE bool credentials_find(struct credentials *out, const char *profile, int stop_fd,
                               struct error *err);

/* Appends credentials as the member of a configure request: {"access_key_id": …}. */
void credentials_put(struct buffer *out, const struct credentials *credentials);

#define ISO_Z_SIZE 32
/* 2026-11-22T13:16:23Z */
void iso_z(char out[ISO_Z_SIZE], int64_t wall_us);

/* For __attribute__((cleanup)). */
#define CREDENTIALS_AUTO __attribute__((cleanup(credentials_clear))) struct credentials

/* --- the single providers; each resets what it does not find --- */

enum provider_result { PROVIDER_FOUND, PROVIDER_ABSENT, PROVIDER_FAILED };

/* The profile's files. named: the user named the profile, so that it must be there. */
MUST_USE enum provider_result credentials_from_profile(struct credentials *out, const char *profile,
                                                       bool named, int stop_fd, struct error *err);
/* Runs a credential_process. */
MUST_USE bool credentials_from_process(struct credentials *out, struct bytes command, int stop_fd,
                                       struct error *err);
/* AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI. */
MUST_USE enum provider_result credentials_from_container(struct credentials *out,
                                                         struct error *err);
/* IMDSv2. ABSENT (with *err filled): switched off, or nobody answers there. */
MUST_USE enum provider_result credentials_from_instance(struct credentials *out, struct error *err);

/*
 * Reads {"AccessKeyId", "SecretAccessKey", token_name?, "Expiration"?}, in which all these sources
 * answer. origin is named in *err (ERROR_NO_CREDENTIALS). version: a member Version must be 1.
 */
MUST_USE bool credentials_from_json(struct credentials *out, struct bytes text,
                                    const char *token_name, bool version, const char *origin,
                                    struct error *err);

/* Puts a text into a field: trimmed, printable ASCII, not empty. ERROR_NO_CREDENTIALS. */
MUST_USE bool credentials_set(struct buffer *field, struct bytes text, const char *name,
                              const char *origin, struct error *err);

#endif
