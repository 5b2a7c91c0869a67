/* SPDX-License-Identifier: Apache-2.0 */
/* Pauses between attempts, random in part, so that many hosts do not come at once. */
#ifndef HOST_CLIENT_BACKOFF_H
#define HOST_CLIENT_BACKOFF_H

#include <stdint.h>

/* A random number from 0 to range; 0 if there is no randomness. */
int64_t backoff_jitter(int64_t range);

/* first_ms, doubled with each failure in a row after the first, up to most_ms; then random between
 * half of that and the whole. */
int64_t backoff_ms(unsigned failures, int64_t first_ms, int64_t most_ms);

#endif
