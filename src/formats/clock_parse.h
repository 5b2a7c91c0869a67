/* SPDX-License-Identifier: Apache-2.0 */
/* Reading the times that base/clock.h writes, and those that AWS writes (ISO 8601). */
#ifndef FORMATS_CLOCK_PARSE_H
#define FORMATS_CLOCK_PARSE_H

#include "base/bytes.h"

/*
 * Reads 2026-11-22T13:16:23[.fraction](Z|+hh:mm|-hh:mm), or the basic form 20261122T131623Z, of the
 * years 1970 to 9999, into microseconds since 1970-01-01T00:00:00Z. False if text is anything else.
 */
MUST_USE bool clock_parse(struct bytes text, int64_t *wall_us);

#endif
