/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that the environment of enclaved holds, as in an image made of a container. */
#ifndef ENCLAVE_ENVIRONMENT_H
#define ENCLAVE_ENVIRONMENT_H

#include "enclave/session.h"

/*
 * Takes ENCRYPTED_TSK (base64), AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
 * each of which may be missing. They are wiped where /proc/PID/environ would show them.
 * ERROR_CONFIG names the variable.
 */
MUST_USE bool environment_take(struct initial_secrets *secrets, struct error *err);

#endif
