/* SPDX-License-Identifier: Apache-2.0 */
/* What a kernel leaves to its first process, as far as enclaved needs it. */
#ifndef INIT_PREPARE_H
#define INIT_PREPARE_H

#include "base/error.h"

/*
 * Mounts /dev and /proc, sees that there is a console, loads the modules of the image, has memory
 * that is not there refused when it is asked for, and allows descriptors for all connections.
 * ERROR_SYSTEM names the step and the reason.
 */
MUST_USE bool prepare_system(struct error *err);

/* The kernel allows a first process 4,096, fewer than limits.connections may be. */
MUST_USE bool prepare_descriptors(struct error *err);

/* Loads every file of folder, if it exists, as a module, in the byte order of their names. */
MUST_USE bool prepare_modules(const char *folder, struct error *err);

#endif
