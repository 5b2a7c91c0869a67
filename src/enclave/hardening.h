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

/*
 * Takes name out of the environment: copies its value into out (size bytes; empty if unset), wipes
 * it where /proc/PID/environ would show it, and unsets it. False if it does not fit.
 */
MUST_USE bool environment_take(const char *name, char *out, size_t size);

#endif
