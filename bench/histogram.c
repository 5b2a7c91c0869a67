/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/histogram.h"

#define STEPS (UINT64_C(1) << HISTOGRAM_STEP_BITS)

/* Values below STEPS have a slot each; above, each power of two has STEPS equal slots. */
static unsigned slot_of(uint64_t value)
{
    if (value < STEPS)
        return (unsigned)value;
    unsigned power = 63u - (unsigned)__builtin_clzll(value);
    unsigned shift = power - HISTOGRAM_STEP_BITS;
    return ((shift + 1) << HISTOGRAM_STEP_BITS) + (unsigned)((value >> shift) - STEPS);
}

/* The largest value that falls into a slot. */
static uint64_t top_of(unsigned slot)
{
    if (slot < STEPS)
        return slot;
    unsigned shift = (slot >> HISTOGRAM_STEP_BITS) - 1;
    return (((slot & (STEPS - 1)) + STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    h->slots[slot_of(value)]++;
    h->count++;
}

uint64_t histogram_quantile(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;
    for (unsigned slot = 0; slot < HISTOGRAM_SLOTS; slot++) {
        seen += h->slots[slot];
        if (seen > wanted || (seen == h->count && seen > 0))
            return top_of(slot);
    }
    return 0;
}
