/* SPDX-License-Identifier: Apache-2.0 */
/* The status of a relay that runs (docs/relay.md), for `relay --query` and `doctor`. */
#ifndef HOST_RELAY_STATUS_H
#define HOST_RELAY_STATUS_H

#include "codec/json.h"

/* Where the relay of deploy/systemd reports its status; unit and pages have the same path. */
#define RELAY_STATUS_PATH    "/run/enclaved-relay/status"
#define RELAY_STATUS_ADDRESS "unix:" RELAY_STATUS_PATH

#define RELAY_STATUS_MAX (1u << 20) /* bytes of an answer */

/*
 * Reads the status at an address into text, whose limit is RELAY_STATUS_MAX, and its index, an
 * object with an array of routes. ERROR_FORMAT where it is something else; otherwise as
 * address_connect.
 */
MUST_USE bool relay_status_read(const char *where, int64_t timeout_ms, struct buffer *text,
                                struct json *doc, struct error *err);

#endif
