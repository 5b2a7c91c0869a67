/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The `configure` request (docs/protocol.md). Its region and encryption_context are taken and not
 * looked at: what is pinned is always used, and enclavectl compares them with what health says.
 */
#ifndef ENCLAVE_CONFIGURE_REQUEST_H
#define ENCLAVE_CONFIGURE_REQUEST_H

#include "codec/json.h"
#include "enclave/kms.h"

/* Values of a request, names included. It waits with its index, which no limit counts. */
#define CONFIGURE_VALUES_MAX 4096

/*
 * Reads a request, an object, into out, which is zeroed secret memory and the caller's to wipe,
 * whatever the result. ERROR_CONFIGURE, ERROR_UNKNOWN_MEMBER.
 */
MUST_USE bool configure_read(struct initial_secrets *out, const struct json *doc,
                             struct error *err);

#endif
