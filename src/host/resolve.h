/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses with host names, for programs outside the enclave. enclaved has no resolver.
 */
#ifndef HOST_RESOLVE_H
#define HOST_RESOLVE_H

#include "sockets/any_address.h"

/* As any_address_parse, but tcp:HOST may be a name: its first address is taken. */
MUST_USE bool address_resolve(struct address *out, const char *text, struct error *err);

#endif
