/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks. Deadlines use the monotonic one. The wall clock of an enclave is a claim of its
 * host: it dates states and requests and decides nothing that secrecy hangs on.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/bytes.h"

/* Milliseconds since an arbitrary start; never goes back. */
int64_t clock_monotonic_ms(void);

/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);

#define CLOCK_ISO_SIZE   27 /* 2026-11-22T13:16:23.123456 and a terminator */
#define CLOCK_BASIC_SIZE 17 /* 20261122T131623Z and a terminator */

/* UTC in ISO 8601 as Python's datetime.utcnow().isoformat() writes it: microseconds, no zone. */
void clock_format_iso(char out[CLOCK_ISO_SIZE], int64_t wall_us);

/* UTC in ISO 8601 basic form, as SigV4's x-amz-date has it. */
void clock_format_basic(char out[CLOCK_BASIC_SIZE], int64_t wall_us);

/*
 * Reads 2026-11-22T13:16:23[.fraction](Z|+hh:mm|-hh:mm) or the basic form 20261122T131623Z, years
 * 1970 to 9999, into microseconds since 1970. False if text is anything else.
 */
MUST_USE bool clock_parse(struct bytes text, int64_t *wall_us);

#endif
