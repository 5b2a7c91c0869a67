/* SPDX-License-Identifier: Apache-2.0 */
/* What the process gives up before it holds a secret. */
#ifndef ENCLAVE_HARDENING_H
#define ENCLAVE_HARDENING_H

#include "base/error.h"

/*
 * No core, no ptrace by the same user, no new privileges, all memory locked (present and future),
 * as many descriptors as allowed, SIGPIPE ignored. lock_required false: memory that cannot be
 * locked is a warning (a developer's RLIMIT_MEMLOCK), else ERROR_SYSTEM with the remedy.
 */
MUST_USE bool harden_process(bool lock_required, struct error *err);

#endif
