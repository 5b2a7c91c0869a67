/* SPDX-License-Identifier: Apache-2.0 */
/* Counts of durations in buckets whose width grows with the duration: each is exact to 1 in 128. */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEP_BITS 7
#define HISTOGRAM_SLOTS     ((64 - HISTOGRAM_STEP_BITS + 1) << HISTOGRAM_STEP_BITS)

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count;
};

void histogram_add(struct histogram *h, uint64_t value);

/* The value that a share (0 to 1) of those counted do not exceed; 0 if none was counted. */
uint64_t histogram_quantile(const struct histogram *h, double share);

#endif
