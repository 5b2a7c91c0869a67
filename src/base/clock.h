/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two clocks. Deadlines use the monotonic one. The wall clock of an enclave is what its host
 * claims: it dates states and requests, and decides nothing on which secrecy depends.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/bytes.h"

/* Milliseconds, or microseconds, since an arbitrary start; never goes backwards. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* Microseconds since 1970-01-01T00:00:00Z. */
int64_t clock_wall_us(void);

#define CLOCK_ISO_SIZE   27 /* 2026-11-22T13:16:23.123456 and a terminator */
#define CLOCK_BASIC_SIZE 17 /* 20261122T131623Z and a terminator */

/*
 * UTC in ISO 8601 with microseconds and without a zone, as Python's datetime.utcnow().isoformat()
 * writes it. Times before 1970 and after 9999 are written as the nearest one between.
 */
void clock_format_iso(char out[CLOCK_ISO_SIZE], int64_t wall_us);

/* UTC in the basic form of ISO 8601, as in the x-amz-date header of SigV4. */
void clock_format_basic(char out[CLOCK_BASIC_SIZE], int64_t wall_us);

#endif
